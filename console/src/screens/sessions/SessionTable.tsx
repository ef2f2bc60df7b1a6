import type { Schemas } from "~/api/client";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { type Column, Table } from "~/kit/Table";
import { Time } from "~/kit/Time";

type Session = Schemas["ConsoleSession"];

interface SessionTableProps {
  caption: string;
  sessions: readonly Session[];
  onEnd: (session: Session) => void;
  isBusy: boolean;
}

/** Sessions of one person, each with a button that signs it out. */
export function SessionTable({ caption, sessions, onEnd, isBusy }: SessionTableProps) {
  const columns: readonly Column<Session>[] = [
    { header: "Browser", cell: (one) => <Browser of={one} /> },
    { header: "Address", cell: (one) => <code>{one.address ?? "unknown"}</code>, isWhole: true },
    { header: "Signed in", cell: (one) => <Time at={one.created_at} />, isWhole: true },
    { header: "Last used", cell: (one) => <Time at={one.last_seen_at} />, isWhole: true },
    { header: "Signed out, if it is not used", cell: (one) => <Time at={one.expires_at} />, isWhole: true },
    {
      header: "",
      cell: (one) =>
        one.current ? null : (
          <Button size="small" onClick={() => onEnd(one)} isBusy={isBusy}>
            Sign this session out
          </Button>
        ),
    },
  ];
  return <Table caption={caption} columns={columns} rows={sessions} rowKey={(one) => one.id} />;
}

function Browser({ of: session }: { of: Session }) {
  return (
    <>
      {session.user_agent ?? "unknown"} {session.current ? <Badge tone="good">this one</Badge> : null}
    </>
  );
}
