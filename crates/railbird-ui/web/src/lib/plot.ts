// uPlot in the colours of the page. Every chart names its unit; lines of second cars are dashed.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { token } from "./theme.svelte";

/** A line of a chart. */
export interface Line {
  label: string;
  colour: string;
  dashed?: boolean;
  width?: number;
  /** Drawn as steps: categories hold from one sample to the next. */
  stepped?: boolean;
  faint?: boolean;
}

/** How a chart looks. */
export interface PlotOptions {
  lines: Line[];
  height: number;
  /** Name and unit of the vertical axis, `Speed, km/h`: beside the axis, or above a chart that stands alone. */
  title: string;
  alone?: boolean;
  /** Range of the vertical axis; left out: that of the data. */
  range?: [number, number];
  /** First value on top. */
  reversed?: boolean;
  /** Formats a value of the horizontal axis. */
  xText?: (value: number) => string;
  /** Least distance between labels of the horizontal axis, px. */
  xSpace?: number;
  /** Whether the horizontal axis has labels. */
  xLabels?: boolean;
  xRange?: () => [number, number] | null;
  /** Charts of one key share their cursor. */
  sync?: string;
  yText?: (value: number) => string;
  onCursor?: (index: number | null) => void;
  onDraw?: (plot: uPlot) => void;
  /** Only whole numbers on the vertical axis. */
  whole?: boolean;
  rightPadding?: number;
}

/** A chart that fills the width of `element`; `destroy` it when done. */
export function makePlot(element: HTMLElement, data: uPlot.AlignedData, options: PlotOptions): uPlot {
  const axis = {
    stroke: token("--ink-3"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: token("--line"), width: 1 },
    ticks: { show: false },
  };
  const steps = uPlot.paths.stepped?.({ align: 1 });
  const { yText, xText } = options;
  const plot = new uPlot(
    {
      width: Math.max(80, element.clientWidth),
      height: options.height,
      padding: [options.alone ? 26 : 6, options.rightPadding ?? 8, options.xLabels === false ? 5 : 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { size: 6 },
        drag: { x: false, y: false },
        ...(options.sync ? { sync: { key: options.sync, setSeries: false } } : {}),
      },
      scales: {
        x: {
          time: false,
          ...(options.xRange
            ? { range: (_: uPlot, low: number, high: number): [number, number] => options.xRange?.() ?? [low, high] }
            : {}),
        },
        y: {
          dir: options.reversed ? -1 : 1,
          ...(options.range ? { range: options.range } : {}),
        },
      },
      axes: [
        {
          ...axis,
          size: options.xLabels === false ? 0 : 24,
          show: options.xLabels !== false,
          gap: 4,
          ...(options.xSpace ? { space: options.xSpace } : {}),
          ...(xText ? { values: (_: uPlot, values: number[]) => values.map(xText) } : {}),
        },
        {
          ...axis,
          size: options.alone ? 44 : 94,
          gap: 4,
          space: 18,
          ...(options.whole ? { incrs: [1, 2, 5, 10, 20, 50] } : {}),
          ...(yText ? { values: (_: uPlot, values: number[]) => values.map(yText) } : {}),
        },
      ],
      series: [
        {},
        ...options.lines.map((line) => ({
          label: line.label,
          stroke: line.colour,
          width: line.width ?? 1.5,
          alpha: line.faint ? 0.4 : 1,
          ...(line.dashed ? { dash: [5, 3] } : {}),
          points: { show: false },
          spanGaps: false,
          ...(line.stepped && steps ? { paths: steps } : {}),
        })),
      ],
      hooks: {
        setCursor: [(made: uPlot) => options.onCursor?.(made.cursor.idx ?? null)],
        draw: [(made: uPlot) => options.onDraw?.(made)],
      },
    },
    data,
    element,
  );
  const title = document.createElement("div");
  title.className = "plot-title";
  title.dataset["alone"] = String(options.alone ?? false);
  const [name = "", unit = ""] = options.title.split(/, (?=[^,]*$)/);
  title.textContent = options.alone ? options.title : name;
  if (!options.alone && unit) title.append(document.createElement("br"), unit);
  plot.root.append(title);
  return plot;
}

/** Height of the labels of a horizontal axis, px. */
export const X_AXIS_PX = 24;
/** Least height of a column of charts, px. */
const COLUMN_PX_MIN = 240;

/** Height of the chart that takes `share` of a column of charts as high as `element`, px. */
export function heightOf(element: HTMLElement, share: number): number {
  return Math.floor((Math.max(COLUMN_PX_MIN, element.clientHeight) - X_AXIS_PX) * share);
}

/** Keeps a column of charts as wide and as high as `element`; the last one has the axis. Returns what stops it. */
export function watchSize(element: HTMLElement, plots: () => uPlot[], shares: number[]): () => void {
  const observer = new ResizeObserver(() => {
    const width = element.clientWidth;
    plots().forEach((plot, index, all) => {
      const axis = index === all.length - 1 ? X_AXIS_PX : 0;
      const height = heightOf(element, shares[index] ?? 1) + axis;
      if (width > 0 && (Math.abs(width - plot.width) > 1 || height !== plot.height)) plot.setSize({ width, height });
    });
  });
  observer.observe(element);
  return () => observer.disconnect();
}
