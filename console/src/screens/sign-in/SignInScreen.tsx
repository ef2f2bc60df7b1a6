import { queryOptions, useMutation, useQuery } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { ErrorNote } from "~/kit/ErrorNote";
import { TextField } from "~/kit/Field";
import { Form } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { Entrance, Or } from "./Entrance";
import { pathOf, useEnter } from "./enter";

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
      <OidcFailure />
      {options?.oidc ? <OidcLink name={options.oidc.name} /> : null}
      <PasswordForm />
    </Entrance>
  );
}

const FAILURES: Readonly<Record<string, string>> = {
  "not-invited":
    "The identity provider knows you, but you may not sign in here. Ask an owner of this installation to invite you with the e-mail address that the provider has verified.",
  limited: "Too many sign-ins from this network address failed. Wait a minute and try again.",
  unavailable: "The identity provider does not answer as it should. Try again, or sign in with a password.",
  failed: "The identity provider did not sign you in. Try again.",
};

function OidcFailure() {
  const { failure } = lazyRoute.useSearch();
  return failure ? <ErrorNote error={new Error(FAILURES[failure] ?? FAILURES.failed)} /> : null;
}

/** A plain link: the gateway sends the browser to the provider. */
function OidcLink({ name }: { name: string }) {
  const { next } = lazyRoute.useSearch();
  const query = next ? `?${new URLSearchParams({ next: pathOf(next) })}` : "";
  return (
    <>
      <p>
        <a href={`/api/v1/admin/session/oidc${query}`}>Sign in with {name}</a>
      </p>
      <Or>Or with a password:</Or>
    </>
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
        The first owner signs in by a link, which <code>make run</code> prints. For a new one, run{" "}
        <code>clarion owner-link</code>.
      </p>
    </Card>
  );
}
