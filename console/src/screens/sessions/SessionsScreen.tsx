import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { useSession } from "~/api/session";
import { ErrorNote } from "~/kit/ErrorNote";
import { TextField } from "~/kit/Field";
import { Form } from "~/kit/Form";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState, Page } from "~/kit/Page";
import { notify, notifyError } from "~/kit/Toast";
import { SessionTable } from "./SessionTable";

export const lazyRoute = createLazyRoute("/frame/settings/sessions")({ component: SessionsScreen });

function SessionsScreen() {
  const session = useSession();
  if (session?.kind === "token") {
    return (
      <Page title="Your sessions">
        <EmptyState
          title="An admin token has no sessions"
          text="You use the console with an admin token. Sign in as a person to see sessions and to change a password."
        />
      </Page>
    );
  }
  return (
    <Page title="Your sessions" text={`Where ${session?.email ?? "you"} signed in, and the password.`}>
      <OwnSessions />
      <PasswordCard />
    </Page>
  );
}

function OwnSessions() {
  const queries = useQueryClient();
  const key = ["session", "sessions"];
  const sessions = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => answer(api.GET("/api/v1/admin/session/sessions", { signal })),
  });
  const ending = useMutation({
    mutationFn: (id: string) =>
      answer(api.DELETE("/api/v1/admin/session/sessions/{id}", { params: { path: { id } } })),
    onSuccess: () => {
      notify("The session is signed out.");
      void queries.invalidateQueries({ queryKey: key });
    },
    onError: notifyError,
  });
  return (
    <Card title="Sessions">
      <p>Sign out those that you do not know, and then change your password.</p>
      {sessions.error ? (
        <ErrorNote error={sessions.error} onRetry={() => void sessions.refetch()} />
      ) : sessions.data ? (
        <SessionTable
          caption="Your sessions"
          sessions={sessions.data.data}
          onEnd={(one) => ending.mutate(one.id)}
          isBusy={ending.isPending}
        />
      ) : (
        <Loading />
      )}
    </Card>
  );
}

function PasswordCard() {
  const queries = useQueryClient();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const change = useMutation({
    mutationFn: () => answer(api.POST("/api/v1/admin/session/password", { body: { current, password } })),
    onSuccess: () => {
      setCurrent("");
      setPassword("");
      notify("Your password is changed. All other sessions are signed out.");
      void queries.invalidateQueries({ queryKey: ["session", "sessions"] });
    },
  });
  const problem = change.error instanceof Problem ? change.error : null;
  return (
    <Card title="Password">
      <Form
        action="Change the password"
        onSubmit={change.mutate}
        isBusy={change.isPending}
        isDisabled={!(current && password)}
        error={change.error}
      >
        <TextField
          label="Current password"
          type="password"
          autoComplete="current-password"
          value={current}
          error={problem?.fields.get("current")}
          onChange={(event) => setCurrent(event.target.value)}
        />
        <TextField
          label="New password"
          type="password"
          autoComplete="new-password"
          help="At least 12 characters. All of your other sessions are signed out."
          value={password}
          error={problem?.fields.get("password")}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Form>
    </Card>
  );
}
