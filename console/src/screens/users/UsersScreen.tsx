import { createLazyRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { managedAccounts, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { TextField } from "~/kit/Field";
import { EmptyState, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { useTenantName } from "~/shell/tenants";
import { MembershipWords } from "./Memberships";
import { NewUserDialog } from "./NewUserDialog";
import { nameOf, type User } from "./queries";

export const lazyRoute = createLazyRoute("/frame/settings/users")({ component: UsersScreen });

function UsersScreen() {
  const accounts = managedAccounts(useSession());
  const [isInviting, setInviting] = useState(false);
  if (accounts?.length === 0) {
    return (
      <Page title="Users">
        <EmptyState
          title="Only owners of the installation or of an account manage users"
          text="Ask an owner to invite somebody, or to change what somebody may do."
        />
      </Page>
    );
  }
  return (
    <Page
      title="Users"
      text={
        accounts === null
          ? "The people who sign in to this console, and what they may do."
          : "The people who have a role in your account or its tenants, and what they may do there."
      }
      actions={
        <Button look="primary" onClick={() => setInviting(true)}>
          Invite somebody
        </Button>
      }
    >
      <Users onInvite={() => setInviting(true)} />
      <NewUserDialog isOpen={isInviting} onClose={() => setInviting(false)} />
    </Page>
  );
}

function Users({ onInvite }: { onInvite: () => void }) {
  const { search } = lazyRoute.useSearch();
  const navigate = lazyRoute.useNavigate();
  const tenantName = useTenantName();
  const list = useRows<User>(["users", "list", search ?? ""], (cursor, signal) => {
    const query = { limit: 50, ...(search && { search }), ...(cursor && { cursor }) };
    return answer(api.GET("/api/v1/admin/users", { params: { query }, signal }));
  });
  const columns: readonly Column<User>[] = [
    {
      header: "Name",
      cell: (one) => (
        <Link to="/settings/users/$userId" params={{ userId: one.id }}>
          {nameOf(one)}
        </Link>
      ),
    },
    { header: "E-mail address", cell: (one) => one.email },
    { header: "State", cell: (one) => <UserState of={one} /> },
    { header: "Roles", cell: (one) => <MembershipWords of={one} tenantName={tenantName} /> },
    {
      header: "Last signed in",
      cell: (one) => (one.last_sign_in_at ? <Time at={one.last_sign_in_at} /> : "never"),
      isWhole: true,
    },
  ];
  return (
    <>
      <Filters>
        <TextField
          label="Name or e-mail address"
          type="search"
          value={search ?? ""}
          onChange={(event) =>
            void navigate({
              search: (all) => ({ ...all, search: event.target.value || undefined }),
              replace: true,
            })
          }
        />
      </Filters>
      <List
        caption="Users of the console"
        columns={columns}
        rowKey={(one) => one.id}
        list={list}
        empty={
          <EmptyState
            title={search ? "Nobody is called that" : "Nobody was invited yet"}
            text="Invite the people who look after messages, templates and providers, each with a role."
            action={<Button onClick={onInvite}>Invite somebody</Button>}
          />
        }
      />
    </>
  );
}

/** Whether a user can sign in. */
export function UserState({ of: user }: { of: User }) {
  if (user.disabled) {
    return <Badge tone="bad">disabled</Badge>;
  }
  if (user.has_password || user.has_oidc) {
    return <Badge tone="good">active</Badge>;
  }
  return user.invitation_expires_at ? (
    <Badge tone="wait">invited</Badge>
  ) : (
    <Badge tone="neutral">invitation ended</Badge>
  );
}
