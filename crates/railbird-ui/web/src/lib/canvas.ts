// Canvases that are as wide as their place.

/** Calls `set` with the width of `element`, px, now and whenever it changes; returns what stops it. */
export function watchWidth(element: HTMLElement, set: (width: number) => void): () => void {
  const observer = new ResizeObserver(([entry]) => set(entry?.contentRect.width ?? 0));
  observer.observe(element);
  return () => observer.disconnect();
}

/** An empty canvas of `width` × `height` px in the resolution of the screen; null where it cannot be drawn on. */
export function blank(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const context = canvas.getContext("2d");
  if (!context || width <= 0) return null;
  const ratio = Math.min(2, window.devicePixelRatio);
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  context.scale(ratio, ratio);
  return context;
}
