import { useMutation, useQuery } from "@tanstack/react-query";
import { createLazyRoute, useRouterState } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { TextField } from "~/kit/Field";
import { Form } from "~/kit/Form";
import { Loading } from "~/kit/Loading";
import { EmptyState } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { Entrance } from "~/screens/sign-in/Entrance";
import { useEnter } from "~/screens/sign-in/enter";

export const lazyRoute = createLazyRoute("/join")({ component: JoinScreen });

type Link = Schemas["OpenedLink"];

const WORDS: Readonly<Record<Link["kind"], { title: string; text: string; action: string }>> = {
  first_owner: {
    title: "Become the owner",
    text: "You are the first to sign in to this installation. You may do everything, and invite others.",
    action: "Create my account",
  },
  invitation: {
    title: "Join the console",
    text: "Somebody has invited you. Choose a password to sign in with.",
    action: "Join",
  },
  password_reset: {
    title: "Set a new password",
    text: "All of your sessions end, and you sign in with the new password.",
    action: "Set the password",
  },
};

function JoinScreen() {
  const code = useRouterState({ select: (state) => state.location.hash });
  const link = useQuery({
    queryKey: ["invitations", code],
    queryFn: ({ signal }) => answer(api.POST("/api/v1/admin/invitations/open", { body: { code }, signal })),
    enabled: code !== "",
    retry: false,
    // It would be unknown after its use.
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (code === "" || (link.error instanceof Problem && link.error.status === 404)) {
    return <Spent />;
  }
  if (link.error) {
    return (
      <Entrance title="Join the console">
        <ErrorNote error={link.error} onRetry={() => void link.refetch()} />
      </Entrance>
    );
  }
  return link.data ? <Accept link={link.data} code={code} /> : <Loading />;
}

function Spent() {
  return (
    <Entrance title="This link does not work">
      <EmptyState
        title="It was used, has ended, or is not complete"
        text="Each link works once. Ask the person who sent it for a new one. The owner of the installation makes one with “clarion owner-link”."
        action={<LinkButton to="/sign-in">Sign in</LinkButton>}
      />
    </Entrance>
  );
}

function Accept({ link, code }: { link: Link; code: string }) {
  const enter = useEnter();
  const words = WORDS[link.kind];
  const isFirst = link.kind === "first_owner";
  const [email, setEmail] = useState(link.email ?? "");
  const [name, setName] = useState(link.name ?? "");
  const [password, setPassword] = useState("");
  const accepting = useMutation({
    mutationFn: () => {
      const body = { code, password, name, ...(isFirst && { email }) };
      return answer(api.POST("/api/v1/admin/invitations/accept", { body }));
    },
    onSuccess: (session) => enter(session),
  });
  const problem = accepting.error instanceof Problem ? accepting.error : null;
  return (
    <Entrance title={words.title} text={words.text}>
      <Form
        action={words.action}
        onSubmit={accepting.mutate}
        isBusy={accepting.isPending}
        isDisabled={!(email && password)}
        error={accepting.error}
      >
        <TextField
          label="E-mail address"
          type="email"
          autoComplete="username"
          required
          readOnly={!isFirst}
          value={email}
          error={problem?.fields.get("email")}
          onChange={(event) => setEmail(event.target.value)}
        />
        {link.kind === "password_reset" ? null : (
          <TextField
            label="Your name"
            autoComplete="name"
            isOptional
            maxLength={100}
            value={name}
            error={problem?.fields.get("name")}
            onChange={(event) => setName(event.target.value)}
          />
        )}
        <TextField
          label="New password"
          type="password"
          autoComplete="new-password"
          required
          help="At least 12 characters. A few words that do not belong together are easy to remember."
          value={password}
          error={problem?.fields.get("password")}
          onChange={(event) => setPassword(event.target.value)}
        />
        <p>
          This link works once. It ends: <Time at={link.expires_at} />
        </p>
      </Form>
    </Entrance>
  );
}
