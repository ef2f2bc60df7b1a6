import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { managedAccounts, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { TextField } from "~/kit/Field";
import { Form } from "~/kit/Form";
import { Loading } from "~/kit/Loading";
import { Card, Facts, Page } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { SessionTable } from "~/screens/sessions/SessionTable";
import { InvitationLink } from "./InvitationLink";
import { MembershipsField } from "./Memberships";
import { type Invitation, keepUser, nameOf, type User, userQuery } from "./queries";
import { UserState } from "./UsersScreen";

export const lazyRoute = createLazyRoute("/frame/settings/users/$userId")({ component: UserScreen });

type Change = Schemas["UserChange"];

function useUserChange(user: User, done: (changed: User) => string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Change) =>
      answer(api.PATCH("/api/v1/admin/users/{id}", { params: { path: { id: user.id } }, body })),
    onSuccess: (changed) => {
      keepUser(queries, changed);
      void queries.invalidateQueries({ queryKey: ["session"] });
      notify(done(changed));
    },
  });
}

function UserScreen() {
  const { userId } = lazyRoute.useParams();
  const user = useSuspenseQuery(userQuery(userId)).data;
  const accounts = managedAccounts(useSession());
  const isManaged = accounts === null || (user.account_id !== null && accounts.includes(user.account_id));
  return (
    <Page title={nameOf(user)} text={user.email} actions={isManaged ? <UserActions user={user} /> : null}>
      <Card title="State">
        <Facts
          facts={[
            ["State", <UserState key="state" of={user} />],
            ["Signs in with", waysOf(user)],
            [
              "Link that was not used ends",
              user.invitation_expires_at ? <Time key="link" at={user.invitation_expires_at} /> : null,
            ],
            [
              "Last signed in",
              user.last_sign_in_at ? (
                <Time key="seen" at={user.last_sign_in_at} />
              ) : isManaged ? (
                "never"
              ) : null,
            ],
            ["Created", <Time key="created" at={user.created_at} />],
            [
              "Managed by",
              user.account_id
                ? "the owners of their account, in which alone they can have roles"
                : "the owners of the installation",
            ],
          ]}
        />
      </Card>
      <RolesCard key={`roles-${user.id}`} user={user} />
      {isManaged ? (
        <>
          <IdentityCard key={`identity-${user.id}`} user={user} />
          <SessionsCard user={user} />
        </>
      ) : (
        <p className="soft">
          An owner of the installation invited {nameOf(user)}. You may change or end the roles in your
          account; roles elsewhere, the address, the password and sessions are not shown here.
        </p>
      )}
    </Page>
  );
}

function waysOf(user: User): string {
  const ways = [user.has_password ? "a password" : "", user.has_oidc ? "the identity provider" : ""].filter(
    Boolean,
  );
  return ways.join(", ") || "nothing yet: the invitation was not accepted";
}

function UserActions({ user }: { user: User }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const [isDeleting, setDeleting] = useState(false);
  const path = { id: user.id };
  const disable = useUserChange(user, (changed) =>
    changed.disabled
      ? `${nameOf(changed)} cannot sign in any more.`
      : `${nameOf(changed)} can sign in again.`,
  );
  const inviting = useMutation({
    mutationFn: () => answer(api.POST("/api/v1/admin/users/{id}/invitation", { params: { path } })),
    onSuccess: (made) => {
      setInvitation(made);
      void queries.invalidateQueries({ queryKey: userQuery(user.id).queryKey });
    },
    onError: notifyError,
  });
  const deletion = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v1/admin/users/{id}", { params: { path } })),
    onSuccess: () => {
      notify(`${nameOf(user)} is deleted.`);
      void queries.invalidateQueries({ queryKey: ["users", "list"] });
      void navigate({ to: "/settings/users" });
    },
  });
  return (
    <>
      {user.disabled ? null : (
        <Button onClick={() => inviting.mutate()} isBusy={inviting.isPending}>
          {user.has_password ? "Make a link to reset the password" : "Make a new invitation link"}
        </Button>
      )}
      <Button
        onClick={() => disable.mutate({ disabled: !user.disabled }, { onError: notifyError })}
        isBusy={disable.isPending}
      >
        {user.disabled ? "Allow to sign in again" : "Forbid to sign in"}
      </Button>
      <Button look="danger" onClick={() => setDeleting(true)}>
        Delete account …
      </Button>
      <InvitationLink invitation={invitation} onClose={() => setInvitation(null)} />
      <Confirm
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        title={`Delete ${nameOf(user)}?`}
        text="Their sessions end at once. The audit log still names them."
        name={user.email}
        action="Delete account"
        onSubmit={deletion.mutate}
        isBusy={deletion.isPending}
        error={deletion.error}
      />
    </>
  );
}

function RolesCard({ user }: { user: User }) {
  const [memberships, setMemberships] = useState(user.memberships);
  const change = useUserChange(user, (changed) => `The roles of ${nameOf(changed)} are saved.`);
  const problem = change.error instanceof Problem ? change.error : null;
  return (
    <Card title="Roles">
      <Form
        action="Save the roles"
        onSubmit={() => change.mutate({ memberships })}
        isBusy={change.isPending}
        error={change.error}
      >
        <MembershipsField
          value={memberships}
          onChange={(value) => setMemberships(value as typeof memberships)}
          error={problem?.fields.get("memberships")}
        />
      </Form>
    </Card>
  );
}

function IdentityCard({ user }: { user: User }) {
  const [email, setEmail] = useState(user.email);
  const [name, setName] = useState(user.name);
  const change = useUserChange(user, () => "Saved.");
  const problem = change.error instanceof Problem ? change.error : null;
  return (
    <Card title="Name and address">
      <Form
        action="Save"
        onSubmit={() => change.mutate({ email, name })}
        isBusy={change.isPending}
        isDisabled={email === user.email && name === user.name}
        error={change.error}
      >
        <TextField
          label="E-mail address"
          type="email"
          value={email}
          error={problem?.fields.get("email")}
          onChange={(event) => setEmail(event.target.value)}
        />
        <TextField
          label="Name"
          isOptional
          maxLength={100}
          value={name}
          error={problem?.fields.get("name")}
          onChange={(event) => setName(event.target.value)}
        />
      </Form>
    </Card>
  );
}

function SessionsCard({ user }: { user: User }) {
  const queries = useQueryClient();
  const key = [...userQuery(user.id).queryKey, "sessions"];
  const path = { id: user.id };
  const sessions = useQuery({
    queryKey: key,
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/users/{id}/sessions", { params: { path }, signal })),
  });
  const ending = useMutation({
    mutationFn: (sessionId: string | null) =>
      answer(
        sessionId === null
          ? api.DELETE("/api/v1/admin/users/{id}/sessions", { params: { path } })
          : api.DELETE("/api/v1/admin/users/{id}/sessions/{session_id}", {
              params: { path: { ...path, session_id: sessionId } },
            }),
      ),
    onSuccess: (_none, sessionId) => {
      notify(sessionId === null ? "All sessions are signed out." : "The session is signed out.");
      void queries.invalidateQueries({ queryKey: key });
    },
    onError: notifyError,
  });
  const found = sessions.data?.data ?? [];
  return (
    <Card
      title="Sessions"
      actions={
        found.length > 1 ? (
          <Button size="small" onClick={() => ending.mutate(null)} isBusy={ending.isPending}>
            Sign all sessions out
          </Button>
        ) : null
      }
    >
      {sessions.error ? <ErrorNote error={sessions.error} onRetry={() => void sessions.refetch()} /> : null}
      {sessions.isPending ? <Loading /> : null}
      {sessions.data && found.length === 0 ? <p>{nameOf(user)} is not signed in anywhere.</p> : null}
      {found.length > 0 ? (
        <SessionTable
          caption={`Sessions of ${nameOf(user)}`}
          sessions={found}
          onEnd={(one) => ending.mutate(one.id)}
          isBusy={ending.isPending}
        />
      ) : null}
    </Card>
  );
}
