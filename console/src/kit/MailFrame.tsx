import { useCallback, useEffect, useId, useRef, useState } from "react";
import { Button } from "./Button";
import styles from "./MailFrame.module.css";

// Answered by the gateway (gateway/console/frame.py): a document without origin whose policy allows what mails need.
const EMPTY = "/console/frame";
// A mail that is not there by then cannot be shown: the frame was blocked, or the server does not answer.
const SHOWN_WITHIN_MS = 15_000;

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
  /** In CSS pixels of the mail; without as much room, it is shown smaller. Absent: as wide as there is room. */
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
  const [state, setState] = useState<"loading" | "shown" | "failed">("loading");
  const [tries, setTries] = useState(0);
  const { room, scale } = useRoom(width);
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
        setState("shown");
      }
    };
    window.addEventListener("message", receive);
    return () => window.removeEventListener("message", receive);
  }, [send]);

  useEffect(() => {
    if (state !== "loading") {
      return;
    }
    const timer = setTimeout(() => setState("failed"), SHOWN_WITHIN_MS);
    return () => clearTimeout(timer);
  }, [state]);

  // Another document is loaded, which says when it is ready.
  const start = () => {
    isReady.current = false;
    setState("loading");
  };
  const load = () => {
    start();
    setLoadedFor(html);
  };
  const retry = () => {
    start();
    setTries(tries + 1);
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
      {state === "failed" ? (
        <div className={styles.bar} role="alert">
          <p>
            The e-mail cannot be shown, because its frame did not load. Its text and its source can be read.
          </p>
          <Button size="small" onClick={retry}>
            Try again
          </Button>
        </div>
      ) : null}
      {scale < 1 ? (
        <p className={styles.note}>
          Shown at {Math.floor(scale * 100)} % of its size: there is no room for {width} pixels.
        </p>
      ) : null}
      <div
        ref={room}
        className={styles.room}
        aria-busy={state === "loading"}
        hidden={state === "failed"}
        style={{ height }}
      >
        {state === "loading" ? (
          <p className={styles.loading} role="status">
            The e-mail is being loaded …
          </p>
        ) : null}
        <iframe
          // Another policy needs another document.
          key={`${images ? "images" : "none"} ${tries}`}
          ref={frame}
          className={styles.frame}
          title={title}
          sandbox="allow-scripts"
          src={images ? `${EMPTY}?images=remote` : EMPTY}
          style={{
            height: `${100 / scale}%`,
            ...(width && { width }),
            ...(scale < 1 && { transform: `scale(${scale})` }),
          }}
        />
      </div>
    </div>
  );
}

/** Return where a mail of a width is shown, and by how much it must be made smaller to fit in. */
function useRoom(width: number | undefined) {
  const room = useRef<HTMLDivElement>(null);
  const [has, setHas] = useState(0);
  useEffect(() => {
    const element = room.current;
    if (element === null) {
      return;
    }
    const resizing = new ResizeObserver(() => setHas(element.clientWidth));
    resizing.observe(element);
    return () => resizing.disconnect();
  }, []);
  return { room, scale: width && has > 0 && has < width ? has / width : 1 };
}
