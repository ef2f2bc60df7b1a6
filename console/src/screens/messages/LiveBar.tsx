import { RefreshCw } from "lucide-react";
import { Badge, type Tone } from "~/kit/Badge";
import { Button, IconButton } from "~/kit/Button";
import type { LiveState } from "~/live/connection";
import styles from "./Messages.module.css";
import type { useLiveList } from "./useLiveList";

const STATES: Readonly<Record<LiveState, readonly [Tone, string]>> = {
  connecting: ["calm", "connecting"],
  live: ["good", "live"],
  away: ["wait", "interrupted, trying again"],
  ended: ["bad", "ended: load the page again"],
};

/** Whether the list is live, what waits to be shown, and the switch. */
export function LiveBar({
  live,
  isOn,
  onSwitch,
  onReload,
}: {
  live: ReturnType<typeof useLiveList>;
  isOn: boolean;
  onSwitch: () => void;
  onReload: () => void;
}) {
  const [tone, word] = STATES[live.state];
  return (
    <div className={styles.bar}>
      <Button size="small" aria-pressed={isOn} onClick={onSwitch}>
        Live updates
      </Button>
      <span role="status" className={styles.state}>
        {isOn ? <Badge tone={tone}>{word}</Badge> : <Badge>off</Badge>}
      </span>
      {live.refused ? <span className={styles.why}>{live.refused}</span> : null}
      <IconButton label="Load again" onClick={onReload}>
        <RefreshCw aria-hidden />
      </IconButton>
      {live.waiting > 0 ? (
        <Button size="small" look="primary" className={styles.news} onClick={live.show}>
          Show {live.waiting} new {live.waiting === 1 ? "message" : "messages"}
        </Button>
      ) : null}
    </div>
  );
}
