import { useState } from "react";
import { Badge } from "~/kit/Badge";
import { CheckField, SelectField } from "~/kit/Field";
import { MailFrame } from "~/kit/MailFrame";
import { Tabs } from "~/kit/Tabs";
import type { Channel, Preview } from "../data";
import styles from "./PreviewPane.module.css";

interface PreviewPaneProps {
  channel: Channel;
  preview: Preview | null;
  /** The next preview is on its way. */
  isBusy: boolean;
  /** The draft has errors: what is shown is older. */
  isOld: boolean;
  /** It is a layout or partial, which has no subject. */
  isPart?: boolean;
}

// Of the window, where a mail of 600 pixels has no room.
const NARROW = 720;
const WIDTHS = [
  { value: "375", label: "375 px (phone)" },
  { value: "600", label: "600 px (mail client)" },
  { value: "full", label: "Full width" },
];

/** What the recipient sees, as the server renders it. */
export function PreviewPane({ channel, preview, isBusy, isOld, isPart = false }: PreviewPaneProps) {
  if (preview?.content === undefined) {
    return (
      <p className={styles.nothing} aria-busy={isBusy}>
        {isBusy ? "The preview is being made …" : "The preview appears when the template has no errors."}
      </p>
    );
  }
  return (
    <div className={styles.stack} aria-busy={isBusy}>
      {isOld ? <p className={styles.old}>This is the last version without errors.</p> : null}
      {channel === "EMAIL" ? <Mail preview={preview} isPart={isPart} /> : null}
      {channel === "SMS" ? <Sms preview={preview} /> : null}
      {channel === "PUSH" ? <Push preview={preview} /> : null}
    </div>
  );
}

function Mail({ preview, isPart }: { preview: Preview; isPart: boolean }) {
  const [width, setWidth] = useState(() => (window.innerWidth < NARROW ? "375" : "600"));
  const [isDark, setDark] = useState(false);
  const { subject = "", preheader = "", html = "", text = "" } = preview.content ?? {};
  const mail = (
    <div className={styles.stack}>
      <div className={styles.controls}>
        <SelectField label="Width" value={width} onChange={(event) => setWidth(event.target.value)}>
          {WIDTHS.map((one) => (
            <option key={one.value} value={one.value}>
              {one.label}
            </option>
          ))}
        </SelectField>
        <CheckField
          label="Dark"
          help="Colors inverted, as some mail clients do"
          checked={isDark}
          onChange={(event) => setDark(event.target.checked)}
        />
      </div>
      <div className={isDark ? styles.dark : undefined}>
        <MailFrame
          html={html}
          title="Preview of the e-mail"
          width={width === "full" ? undefined : Number(width)}
          height={560}
        />
      </div>
    </div>
  );
  return (
    <div className={styles.stack}>
      {isPart ? null : (
        <div className={styles.inbox}>
          <strong>{subject || "(no subject)"}</strong>
          {preheader ? <span> – {preheader}</span> : null}
        </div>
      )}
      <Tabs
        label="Parts of the e-mail"
        tabs={[
          { value: "html", label: "E-mail", content: mail },
          {
            value: "text",
            label: "Text",
            content: (
              // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it
              <pre className={styles.text} tabIndex={0}>
                {text}
              </pre>
            ),
          },
        ]}
      />
    </div>
  );
}

function Sms({ preview }: { preview: Preview }) {
  const { text = "", sms = null } = preview.content ?? {};
  return (
    <div className={styles.stack}>
      <p className={styles.bubble}>{text}</p>
      {sms ? (
        <p>
          <Badge tone={sms.segments > 1 ? "wait" : "good"}>
            {sms.segments} {sms.segments === 1 ? "segment" : "segments"}
          </Badge>{" "}
          in {sms.encoding}, {[...text].length} characters
          {sms.encoding === "UCS-2" ? ": a character outside GSM-7 makes segments shorter" : ""}
        </p>
      ) : null}
    </div>
  );
}

function Push({ preview }: { preview: Preview }) {
  const { title = "", body = "" } = preview.content ?? {};
  return (
    <div className={styles.push}>
      <strong>{title || "(no title)"}</strong>
      <p>{body}</p>
    </div>
  );
}
