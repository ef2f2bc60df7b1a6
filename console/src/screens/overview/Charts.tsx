import { useMemo } from "react";
import { Chart } from "~/kit/Chart";
import { Card } from "~/kit/Page";
import { type Column, Table } from "~/kit/Table";
import { duration } from "~/kit/Time";
import type { MessagesSearch } from "~/screens/messages/routes";
import { channelName } from "~/shell/channels";
import { countOf, OUTCOMES, type Overview, type Step } from "./figures";
import styles from "./Overview.module.css";

interface Shown {
  overview: Overview;
  channel: MessagesSearch["channel"];
  last: MessagesSearch["last"];
}

const NUMBER = new Intl.NumberFormat();
const format = (value: number) => NUMBER.format(value);
const formatMs = (value: number) => (value === 0 ? "0" : duration(value));
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Deliveries by what became of them, over time. */
export function DeliveriesCard({ overview, channel }: Shown) {
  const times = useTimes(overview);
  const series = useMemo(
    () =>
      OUTCOMES.map((one) => ({
        label: one.label,
        color: one.color,
        values: overview.steps.map((step) => countOf(step, one, channel)),
      })),
    [overview, channel],
  );
  const columns: Column<Step>[] = [
    when,
    { header: "Events", cell: (step) => format(step.events), isNumber: true },
    ...OUTCOMES.map((one) => ({
      header: one.label,
      cell: (step: Step) => format(countOf(step, one, channel)),
      isNumber: true,
    })),
  ];
  return (
    <Card title="Deliveries over time">
      <Chart
        label="Deliveries over time by what became of them. The table below has the numbers."
        times={times}
        series={series}
        format={format}
      />
      <AsTable overview={overview} columns={columns} caption="Deliveries over time" />
    </Card>
  );
}

/** How long it took to send, over time and by channel. */
export function TimesCard({ overview }: Shown) {
  const times = useTimes(overview);
  const series = useMemo(
    () => [
      { label: "Half within", color: "accent", values: overview.steps.map((step) => step.sent.p50_ms) },
      {
        label: "95 of 100 within",
        color: "calm",
        values: overview.steps.map((step) => step.sent.p95_ms),
        isDashed: true,
      },
    ],
    [overview],
  );
  const columns: Column<Step>[] = [
    when,
    { header: "Sent", cell: (step) => format(step.sent.count), isNumber: true },
    { header: "Half within", cell: (step) => ms(step.sent.p50_ms), isNumber: true },
    { header: "95 of 100 within", cell: (step) => ms(step.sent.p95_ms), isNumber: true },
  ];
  const byChannel = overview.durations.filter((one) => one.count > 0);
  return (
    <Card title="Time from accepted to sent">
      <Chart
        label="Time from accepted to sent over time, on all channels. The tables below have the numbers."
        times={times}
        series={series}
        format={formatMs}
      />
      <Table
        caption="Time from accepted to sent by channel"
        columns={[
          { header: "Channel", cell: (row) => (row.channel ? channelName(row.channel) : "All channels") },
          { header: "Sent", cell: (row) => format(row.count), isNumber: true },
          { header: "Half within", cell: (row) => ms(row.p50_ms), isNumber: true },
          { header: "95 of 100 within", cell: (row) => ms(row.p95_ms), isNumber: true },
        ]}
        rows={byChannel}
        rowKey={(row) => row.channel ?? "all"}
      />
      <AsTable overview={overview} columns={columns} caption="Time from accepted to sent over time" />
    </Card>
  );
}

/** The numbers of a chart, for those who do not see it. */
function AsTable({
  overview,
  columns,
  caption,
}: {
  overview: Overview;
  columns: Column<Step>[];
  caption: string;
}) {
  const steps = overview.steps.filter((step) => step.events > 0 || step.counts.length > 0).reverse();
  return (
    <details className={styles.details}>
      <summary>Show the numbers as a table</summary>
      <Table caption={caption} columns={columns} rows={steps} rowKey={(step) => step.time} />
    </details>
  );
}

const when: Column<Step> = {
  header: "From",
  cell: (step) => <time dateTime={step.time}>{MOMENT.format(new Date(step.time))}</time>,
  isWhole: true,
};

function useTimes(overview: Overview): number[] {
  return useMemo(() => overview.steps.map((step) => Date.parse(step.time) / 1000), [overview]);
}

function ms(value: number | null): string {
  return value === null ? "–" : duration(value);
}
