import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { Copyable } from "~/kit/Copy";
import { Confirm, Dialog, FormDialog } from "~/kit/Dialog";
import { SelectField } from "~/kit/Field";
import { Card } from "~/kit/Page";
import { Time } from "~/kit/Time";
import styles from "./Endpoints.module.css";
import type { Endpoint, Named } from "./queries";

const OVERLAPS: readonly (readonly [seconds: number, words: string])[] = [
  [3_600, "one hour"],
  [86_400, "one day"],
  [604_800, "seven days"],
  [0, "not at all: it ends now, as after a leak"],
];

interface SecretCardProps {
  endpoint: Endpoint;
  path: Named;
  mayChange: boolean;
}

/** The secrets that sign the messages: shown on demand, replaced with an overlap. */
export function SecretCard({ endpoint, path, mayChange }: SecretCardProps) {
  const [isRevealing, setRevealing] = useState(false);
  const [isRotating, setRotating] = useState(false);
  const [secret, setSecret] = useState<string>();
  const actions = mayChange ? (
    <>
      <Button size="small" onClick={() => setRevealing(true)}>
        Show secret …
      </Button>
      <Button size="small" onClick={() => setRotating(true)}>
        Replace secret …
      </Button>
    </>
  ) : null;
  return (
    <Card title="Signing secret" actions={actions}>
      <p className={styles.soft}>
        The receiver checks with it that a message is from you. See “Receiver” below.
      </p>
      <ul className={styles.stack}>
        {endpoint.secrets.map((one) => (
          <li key={`${one.created_at}${one.last4}`}>
            <code>…{one.last4}</code>, from <Time at={one.created_at} />
            {one.valid_until ? (
              <>
                , valid until <Time at={one.valid_until} />
              </>
            ) : null}
          </li>
        ))}
      </ul>
      <Reveal path={path} isOpen={isRevealing} onClose={() => setRevealing(false)} onSecret={setSecret} />
      <Rotate path={path} isOpen={isRotating} onClose={() => setRotating(false)} onSecret={setSecret} />
      <Dialog
        isOpen={secret !== undefined}
        onClose={() => setSecret(undefined)}
        title="The signing secret"
        text="Give it to the receiver, and to nobody else."
      >
        <Copyable text={secret ?? ""} what="the secret" />
        <div className={styles.buttons}>
          <Button onClick={() => setSecret(undefined)}>Close</Button>
        </div>
      </Dialog>
    </Card>
  );
}

interface StepProps {
  path: Named;
  isOpen: boolean;
  onClose: () => void;
  onSecret: (secret: string) => void;
}

function Reveal({ path, isOpen, onClose, onSecret }: StepProps) {
  const reveal = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/reveal-secret", { params: { path } }),
      ),
    onSuccess: (shown) => {
      onClose();
      onSecret(shown.secret);
    },
    // The secret stays in this page's memory no longer than it is shown.
    gcTime: 0,
  });
  return (
    <Confirm
      isOpen={isOpen}
      onClose={onClose}
      title="Show the secret?"
      text="With this secret, anybody can sign messages as you. The audit log records that you have seen it."
      action="Show secret"
      onSubmit={() => reveal.mutate()}
      isBusy={reveal.isPending}
      error={reveal.error}
    />
  );
}

function Rotate({ path, isOpen, onClose, onSecret }: StepProps) {
  const queries = useQueryClient();
  const [overlap, setOverlap] = useState(86_400);
  const rotate = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/rotate-secret", {
          params: { path },
          body: { overlap_s: overlap },
        }),
      ),
    onSuccess: (changed) => {
      void queries.invalidateQueries({ queryKey: ["endpoints"] });
      onClose();
      onSecret(changed.secret ?? "");
    },
    gcTime: 0,
  });
  return (
    <FormDialog
      isOpen={isOpen}
      onClose={onClose}
      title="Replace the secret"
      text="While earlier secrets are valid, each message carries a signature of each, so that the receiver can change at any time in between."
      action="Replace secret"
      onSubmit={() => rotate.mutate()}
      isBusy={rotate.isPending}
      error={rotate.error}
    >
      <SelectField
        label="Earlier secrets stay valid for"
        value={overlap}
        onChange={(event) => setOverlap(Number(event.target.value))}
      >
        {OVERLAPS.map(([seconds, words]) => (
          <option key={seconds} value={seconds}>
            {words}
          </option>
        ))}
      </SelectField>
    </FormDialog>
  );
}
