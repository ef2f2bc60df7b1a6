import { Link } from "@tanstack/react-router";
import { ArrowDown, ArrowUp, GripVertical } from "lucide-react";
import { type DragEvent, type KeyboardEvent, useId, useState } from "react";
import { Button, IconButton } from "~/kit/Button";
import { Card } from "~/kit/Page";
import { channelName } from "~/shell/channels";
import styles from "./Providers.module.css";
import type { Provider, ProviderState } from "./queries";
import { lastHour, StateBadge, StateReason } from "./StateBadge";
import { useOrder } from "./useOrder";

interface ChannelOrderProps {
  tenantId: string;
  channel: Provider["channel"];
  providers: readonly Provider[];
  states: ReadonlyMap<string, ProviderState>;
  titles: ReadonlyMap<string, string>;
  mayChange: boolean;
  onTest: (provider: Provider) => void;
}

/** The providers of one channel in the order in which they are tried; moved with the mouse or the keyboard. */
export function ChannelOrder({
  tenantId,
  channel,
  providers,
  states,
  titles,
  mayChange,
  onTest,
}: ChannelOrderProps) {
  const order = useOrder(tenantId, channel, providers);
  const [dragged, setDragged] = useState<string>();
  const help = useId();
  const name = channelName(channel);
  const isMovable = mayChange && order.providers.length > 1;
  const onKey = (id: string, place: number) => (event: KeyboardEvent) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      order.move(id, place + step);
    }
  };
  return (
    <Card title={name}>
      <p id={help} className={styles.soft}>
        {isMovable
          ? "The first one is tried first; if it fails, the next one. Drag a provider, or move it with the arrow keys on its handle."
          : order.providers.length > 1
            ? "The first one is tried first; if it fails, the next one."
            : "Add a second provider, so that messages are sent while this one fails."}
      </p>
      <ol className={styles.order} aria-label={`${name} in order of failover`}>
        {order.providers.map((provider, place) => (
          <li
            key={provider.id}
            className={styles.row}
            data-dragged={dragged === provider.id}
            onDragOver={(event) => dragged && event.preventDefault()}
            onDrop={(event: DragEvent) => {
              event.preventDefault();
              if (dragged) {
                order.move(dragged, place);
              }
              setDragged(undefined);
            }}
          >
            {isMovable ? (
              <div className={styles.place}>
                <IconButton
                  label={`Move ${provider.name}`}
                  aria-describedby={help}
                  size="small"
                  className={styles.handle}
                  draggable
                  onDragStart={(event) => {
                    event.dataTransfer.effectAllowed = "move";
                    event.dataTransfer.setData("text/plain", provider.name);
                    setDragged(provider.id);
                  }}
                  onDragEnd={() => setDragged(undefined)}
                  onKeyDown={onKey(provider.id, place)}
                >
                  <GripVertical aria-hidden />
                </IconButton>
                <IconButton
                  label={`Move ${provider.name} up`}
                  size="small"
                  disabled={place === 0}
                  onClick={() => order.move(provider.id, place - 1)}
                >
                  <ArrowUp aria-hidden />
                </IconButton>
                <IconButton
                  label={`Move ${provider.name} down`}
                  size="small"
                  disabled={place === order.providers.length - 1}
                  onClick={() => order.move(provider.id, place + 1)}
                >
                  <ArrowDown aria-hidden />
                </IconButton>
              </div>
            ) : null}
            <Row
              provider={provider}
              state={states.get(provider.id)}
              title={titles.get(provider.kind) ?? provider.kind}
            />
            {mayChange ? (
              <Button size="small" onClick={() => onTest(provider)}>
                Send a test<span className="unseen"> through {provider.name}</span>
              </Button>
            ) : null}
          </li>
        ))}
      </ol>
      <div className="unseen" aria-live="assertive">
        {order.said}
      </div>
    </Card>
  );
}

function Row({
  provider,
  state,
  title,
}: {
  provider: Provider;
  state: ProviderState | undefined;
  title: string;
}) {
  return (
    <div className={styles.what}>
      <p>
        <Link to="/providers/$providerId" params={{ providerId: provider.id }}>
          {provider.name}
        </Link>{" "}
        {title === provider.name ? null : <span className={styles.soft}>{title} </span>}
        <StateBadge state={state} />
      </p>
      {state && state.state !== "closed" ? (
        <p>
          <StateReason state={state} />
        </p>
      ) : null}
      {state ? <p className={styles.soft}>{lastHour(state)}</p> : null}
    </div>
  );
}
