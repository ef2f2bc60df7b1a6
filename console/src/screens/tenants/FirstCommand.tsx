import { Link } from "@tanstack/react-router";
import { CodeBlock } from "~/kit/Copy";
import { triggerCommand } from "./curl";

/** How to send a first notification with a new key, and where it arrives. */
export function FirstCommand({ apiKey, tenantId }: { apiKey: string; tenantId: string }) {
  return (
    <>
      <p>Send a first notification with it, to the inbox of the user “demo”:</p>
      <CodeBlock text={triggerCommand(apiKey)} what="command" />
      <p>
        It arrives in{" "}
        <Link
          to="/recipients/$recipientId"
          params={{ recipientId: "demo" }}
          search={{ tenant: tenantId }}
          target="_blank"
        >
          the inbox of “demo” in this tenant
        </Link>{" "}
        (opens beside this page).
      </p>
    </>
  );
}
