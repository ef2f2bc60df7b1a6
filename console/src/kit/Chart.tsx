import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import styles from "./Chart.module.css";

/** A line. values: one for each time; null: nothing. color: a name of tokens.css, such as "good". */
export interface Series {
  label: string;
  color: string;
  values: readonly (number | null)[];
  isDashed?: boolean;
}

interface ChartProps {
  /** What the chart shows, in one sentence, for screen readers. A table with the same numbers belongs beside it. */
  label: string;
  /** Unix seconds, rising. */
  times: readonly number[];
  series: readonly Series[];
  /** Writes a value. */
  format: (value: number) => string;
}

const HEIGHT = 220;

/** Lines over time. */
export function Chart({ label, times, series, format }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null) {
      return;
    }
    let plot: uPlot | undefined;
    const draw = () => {
      plot?.destroy();
      const data = [times, ...series.map((one) => one.values)] as unknown as uPlot.AlignedData;
      plot = new uPlot(options(element, series, format), data, element);
    };
    draw();
    const resizing = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resizing.observe(element);
    // The canvas does not follow the colors of the page by itself.
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    const theme = new MutationObserver(draw);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      resizing.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", draw);
      plot?.destroy();
    };
  }, [times, series, format]);
  return <div ref={place} className={styles.chart} role="img" aria-label={label} />;
}

function options(
  element: HTMLElement,
  series: readonly Series[],
  format: (value: number) => string,
): uPlot.Options {
  const ink = colorOf(element, "ink-soft");
  const line = colorOf(element, "line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    cursor: { y: false },
    legend: { live: true },
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] } },
    axes: [axis, { ...axis, size: 70, values: (_, values) => values.map(format) }],
    series: [
      { value: (_, at) => (at === null ? "–" : new Date(at * 1000).toLocaleString()) },
      ...series.map((one) => ({
        label: one.label,
        stroke: colorOf(element, one.color),
        width: 2,
        ...(one.isDashed && { dash: [6, 4] }),
        points: { show: one.values.filter((value) => value !== null).length < 25 },
        value: (_: uPlot, value: number | null) => (value === null ? "–" : format(value)),
      })),
    ],
  };
}

/** Return a color of the look as it is now: a canvas does not know the page's variables. */
function colorOf(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
