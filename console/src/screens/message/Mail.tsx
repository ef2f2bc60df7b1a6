import { useState } from "react";
import { CodeBlock } from "~/kit/Copy";
import { SelectField } from "~/kit/Field";
import { MailFrame } from "~/kit/MailFrame";
import { EmptyState, Facts } from "~/kit/Page";
import { type Tab, Tabs } from "~/kit/Tabs";
import { Headers } from "./HttpFold";
import styles from "./message.module.css";
import { type Content, whichAttempt } from "./queries";
import { RequestText } from "./Shown";
import { size } from "./words";

interface MailProps {
  content: Content;
  attempt: string | undefined;
  /** Whether it arrived at the provider; undefined: not known. */
  arrived: boolean | undefined;
}

/** An e-mail as it was made: how it looks, its text, headers, parts, source, and hints about its HTML. */
export function Mail({ content, attempt, arrived }: MailProps) {
  const tabs: Tab[] = [];
  if (content.html) {
    tabs.push({ value: "html", label: "HTML", content: <Html html={content.html} /> });
  }
  if (content.text) {
    tabs.push({ value: "text", label: "Text", content: <CodeBlock text={content.text} what="the text" /> });
  }
  tabs.push(
    { value: "headers", label: "Headers", content: <Headers headers={content.headers} /> },
    { value: "parts", label: "Parts", content: <Parts content={content} /> },
  );
  if (content.html) {
    tabs.push({
      value: "source",
      label: "HTML source",
      content: <CodeBlock text={content.html} what="the HTML" />,
    });
    tabs.push({
      value: "support",
      label: `Support (${content.support.length})`,
      content: <Support content={content} />,
    });
  }
  if (content.request) {
    tabs.push({ value: "request", label: "Request", content: <RequestText request={content.request} /> });
  }
  return (
    <div className={styles.stack}>
      <Facts
        facts={[
          ["Subject", <bdi key="subject">{content.subject}</bdi>],
          ["From", <bdi key="from">{content.from}</bdi>],
          ["To", <bdi key="to">{content.to}</bdi>],
          ["Reply to", content.reply_to ? <bdi key="reply">{content.reply_to}</bdi> : null],
        ]}
      />
      <div className={styles.bar}>
        <a href={fileUrl(content, attempt)}>Download as .eml</a>
        <span className={styles.soft}>
          {content.is_composed
            ? `The provider ${arrived ? "got" : "was to get"} the parts of this mail. Headers and file are what Clarion makes of them.`
            : `These are the bytes that the mail server ${arrived ? "got" : "was to get"}.`}
        </span>
      </div>
      <Tabs label="Parts of the e-mail" tabs={tabs} />
    </div>
  );
}

function fileUrl(content: Content, attempt: string | undefined): string {
  const query = new URLSearchParams(
    Object.entries(whichAttempt(attempt)).map(([name, value]) => [name, String(value)]),
  );
  const rest = query.size > 0 ? `?${query}` : "";
  return `/api/v1/admin/deliveries/${content.delivery_id}/content.eml${rest}`;
}

const WIDTHS = [
  ["", "As wide as there is room"],
  ["375", "375 pixels: a phone"],
  ["600", "600 pixels: a mail program"],
] as const;

function Html({ html }: { html: string }) {
  const [width, setWidth] = useState("");
  return (
    <div className={styles.stack}>
      <div className={styles.width}>
        <SelectField label="Width" value={width} onChange={(event) => setWidth(event.target.value)}>
          {WIDTHS.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </SelectField>
      </div>
      <MailFrame html={html} title="The e-mail" width={width ? Number(width) : undefined} height={560} />
    </div>
  );
}

function Parts({ content }: { content: Content }) {
  return (
    <Facts
      facts={[
        ...content.parts.map(
          (part, index) => [`${index + 1}. ${part.content_type}`, size(part.size_bytes)] as const,
        ),
        ["All", size(content.size_bytes ?? 0)],
      ]}
    />
  );
}

function Support({ content }: { content: Content }) {
  if (content.support.length === 0) {
    return (
      <EmptyState
        title="No hints"
        text="Nothing was found in the HTML that common mail programs do not support."
      />
    );
  }
  return (
    <ul className={styles.notes}>
      {content.support.map((note) => (
        <li key={note.rule}>
          {note.text} {note.count > 0 ? <span className={styles.soft}>Found {note.count} ×</span> : null}{" "}
          <code>{note.rule}</code>
        </li>
      ))}
    </ul>
  );
}
