import { queryOptions, useMutation, useQuery } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { TextField } from "~/kit/Field";
import { Form } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { Entrance } from "./Entrance";
import { useEnter } from "./enter";

export const lazyRoute = createLazyRoute("/sign-in")({ component: SignInScreen });

const optionsQuery = queryOptions({
  queryKey: ["session", "options"],
  queryFn: ({ signal }) => answer(api.GET("/api/v1/admin/session/options", { signal })),
});

function SignInScreen() {
  const options = useQuery(optionsQuery).data;
  return (
    <Entrance title="Sign in">
      {options?.owner_exists === false ? <NobodyYet /> : null}
      <PasswordForm />
    </Entrance>
  );
}

function PasswordForm() {
  const { next } = lazyRoute.useSearch();
  const enter = useEnter();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => answer(api.POST("/api/v1/admin/session", { body: { email, password } })),
    onSuccess: (session) => enter(session, next),
    onError: () => setPassword(""),
  });
  return (
    <Form
      action="Sign in"
      onSubmit={signIn.mutate}
      isBusy={signIn.isPending}
      isDisabled={!(email && password)}
      error={signIn.error}
    >
      <TextField
        label="E-mail address"
        type="email"
        autoComplete="username"
        required
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <TextField
        label="Password"
        type="password"
        autoComplete="current-password"
        required
        help="Forgotten? Ask an owner for a link to set a new one."
        value={password}
        onChange={(event) => setPassword(event.target.value)}
      />
    </Form>
  );
}

function NobodyYet() {
  return (
    <Card title="Nobody can sign in yet">
      <p>
        Whoever runs this installation becomes its first owner by a link. It stands where{" "}
        <code>make run</code> printed how to use the stack; <code>clarion owner-link</code> prints a new one.
      </p>
    </Card>
  );
}
