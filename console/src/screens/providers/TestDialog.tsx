import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { Copyable } from "~/kit/Copy";
import { FormDialog } from "~/kit/Dialog";
import { TextField } from "~/kit/Field";
import { duration } from "~/kit/Time";
import styles from "./Providers.module.css";
import type { Provider } from "./queries";

type Result = Schemas["ProviderTestResult"];

/** Sends one real message through one provider, and says what came of it. */
export function TestDialog({ provider, onClose }: { provider: Provider | undefined; onClose: () => void }) {
  const queries = useQueryClient();
  const [recipient, setRecipient] = useState("");
  const test = useMutation({
    mutationFn: (one: Provider) =>
      answer(
        api.POST("/api/v1/admin/providers/{id}/test", {
          params: { path: { id: one.id } },
          body: { recipient },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["providers"] }),
  });
  const field = test.error instanceof Problem ? test.error.fields.get("recipient") : undefined;
  const isMail = provider?.channel === "EMAIL";
  return (
    <FormDialog
      isOpen={provider !== undefined}
      onClose={() => {
        test.reset();
        onClose();
      }}
      title={`Send a test through ${provider?.name ?? ""}`}
      text="One real message is sent through this provider only, also while it is paused."
      action="Send test"
      onSubmit={() => provider && test.mutate(provider)}
      isBusy={test.isPending}
      error={field ? null : test.error}
      isDisabled={recipient.trim() === ""}
      isDone={test.data !== undefined}
    >
      <TextField
        label={isMail ? "E-mail address" : "Phone number"}
        help={isMail ? "Where the message is sent." : "With the country's code, such as +254712345678."}
        type={isMail ? "email" : "tel"}
        value={recipient}
        onChange={(event) => setRecipient(event.target.value)}
        error={field}
        autoComplete="off"
      />
      <div aria-live="polite">{test.data && !test.isPending ? <Outcome result={test.data} /> : null}</div>
    </FormDialog>
  );
}

function Outcome({ result }: { result: Result }) {
  const took = duration(result.duration_ms);
  if (result.sent) {
    return (
      <div className={styles.result} data-sent="true">
        <p>The provider accepted the message after {took}.</p>
        {result.provider_message_id ? (
          <p>
            Its id there: <Copyable text={result.provider_message_id} what="the provider's message id" />
          </p>
        ) : null}
      </div>
    );
  }
  return (
    <div className={styles.result} data-sent="false">
      <p>
        <strong>Not sent.</strong> {result.failure?.text} {result.duration_ms > 0 ? `It took ${took}.` : null}
      </p>
      <p>{result.failure?.advice}</p>
      {result.failure?.detail ? <code>{result.failure.detail}</code> : null}
    </div>
  );
}
