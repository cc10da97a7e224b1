// One animation loop for the page. Whatever draws asks for a rate; nothing else asks for frames.

import { FrameStats } from "./stats";

/** Called with the moment of the frame, ms. */
export type Draw = (wallMs: number) => void;

interface Task {
  draw: Draw;
  everyMs: number;
  nextMs: number;
}

/** Runs tasks once a frame, or at most every so many milliseconds; slow ones take turns. */
export class Loop {
  readonly stats = new FrameStats();
  private readonly tasks = new Set<Task>();
  private handle = 0;

  /** Adds a task and returns what removes it. `everyMs`: 0 for every frame. */
  add(draw: Draw, everyMs = 0): () => void {
    const task = { draw, everyMs, nextMs: 0 };
    this.tasks.add(task);
    return () => this.tasks.delete(task);
  }

  /** Makes every task run in the next frame. */
  hurry(): void {
    for (const task of this.tasks) task.nextMs = 0;
  }

  start(): void {
    if (this.handle === 0) this.handle = requestAnimationFrame(this.frame);
  }

  stop(): void {
    cancelAnimationFrame(this.handle);
    this.handle = 0;
  }

  private readonly frame = (wallMs: number): void => {
    this.handle = requestAnimationFrame(this.frame);
    const began = performance.now();
    for (const task of this.tasks) {
      if (task.everyMs > 0) {
        if (wallMs < task.nextMs) continue;
        task.nextMs = wallMs + task.everyMs;
      }
      task.draw(wallMs);
    }
    // Charts draw in a microtask of their own: it is work of this frame too.
    queueMicrotask(() => this.stats.add(wallMs, performance.now() - began));
  };
}
