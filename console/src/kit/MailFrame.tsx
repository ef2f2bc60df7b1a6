import { useCallback, useEffect, useId, useRef, useState } from "react";
import { Button } from "./Button";
import styles from "./MailFrame.module.css";

// Answered by the gateway (gateway/console/frame.py): a document without origin whose policy allows what mails need.
const EMPTY = "/console/frame";

interface Reply {
  ready?: boolean;
  id?: number;
  remoteImages?: number;
}

interface MailFrameProps {
  /** The HTML of the mail: a whole document or a part of one. Images of the mail itself are `data:` URLs. */
  html: string;
  /** Names the frame for screen readers, for example "Content of the e-mail". */
  title: string;
  /** In CSS pixels, for a preview on a narrow screen. Absent: as wide as there is room. */
  width?: number | undefined;
  /** Of the frame, in CSS pixels. The content scrolls in it. */
  height?: number | undefined;
}

/**
 * Show the HTML of a mail with its styles. Nothing in it can run, submit, open a window, or know the console. Images
 * of other hosts are loaded only when the person asks for it, and not again for another mail.
 */
export function MailFrame({ html, title, width, height = 480 }: MailFrameProps) {
  const frame = useRef<HTMLIFrameElement>(null);
  const isReady = useRef(false);
  const latest = useRef({ html: "", images: false, id: 0 });
  const [remoteImages, setRemoteImages] = useState(0);
  // Of which mail images were asked for: another one starts without.
  const [loadedFor, setLoadedFor] = useState<string | null>(null);
  const note = useId();
  const images = loadedFor === html;

  const send = useCallback(() => {
    // Its origin is opaque, so no other target can be named. The frame's policy forbids it to go elsewhere.
    frame.current?.contentWindow?.postMessage(latest.current, "*");
  }, []);

  useEffect(() => {
    latest.current = { html, images, id: latest.current.id + 1 };
    if (isReady.current) {
      send();
    }
  }, [html, images, send]);

  useEffect(() => {
    const receive = (event: MessageEvent<Reply | null>) => {
      if (event.source === null || event.source !== frame.current?.contentWindow) {
        return;
      }
      if (event.data?.ready) {
        isReady.current = true;
        send();
      } else if (event.data?.id === latest.current.id) {
        setRemoteImages(event.data.remoteImages ?? 0);
      }
    };
    window.addEventListener("message", receive);
    return () => window.removeEventListener("message", receive);
  }, [send]);

  const load = () => {
    isReady.current = false; // the document with the other policy says when it is
    setLoadedFor(html);
  };
  return (
    <div className={styles.mail}>
      {remoteImages > 0 && !images ? (
        <div className={styles.bar} id={note}>
          <p>
            {remoteImages} {remoteImages === 1 ? "image of another server is" : "images of other servers are"}{" "}
            not loaded: loading tells that server that somebody opened the mail.
          </p>
          <Button size="small" onClick={load} aria-describedby={note}>
            Load images
          </Button>
        </div>
      ) : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <section className={styles.room} aria-label={`${title}, scrolls`} tabIndex={0}>
        <iframe
          // Another policy needs another document.
          key={images ? "images" : "none"}
          ref={frame}
          className={styles.frame}
          title={title}
          sandbox="allow-scripts"
          src={images ? `${EMPTY}?images=remote` : EMPTY}
          style={{ height, ...(width && { width }) }}
        />
      </section>
    </div>
  );
}
