import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ChevronsUpDown, CircleUserRound } from "lucide-react";
import { answer, api, setCsrfToken } from "~/api/client";
import { useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Menu } from "~/kit/Menu";
import { notifyError } from "~/kit/Toast";
import styles from "./AccountMenu.module.css";
import { setTheme, type Theme, useTheme } from "./theme";

const LOOKS: readonly [Theme, string][] = [
  ["system", "Look: as the system"],
  ["light", "Look: light"],
  ["dark", "Look: dark"],
];

/** Who is signed in, and what concerns the person alone. */
export function AccountMenu() {
  const session = useSession();
  const theme = useTheme();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const signingOut = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v1/admin/session")),
    onSuccess: async () => {
      setCsrfToken("");
      await navigate({ to: "/sign-in", search: {} });
      queries.clear();
    },
    onError: notifyError,
  });
  const looks = LOOKS.map(([value, label]) => ({
    label: value === theme ? `${label} ✓` : label,
    onSelect: () => setTheme(value),
  }));
  const own =
    session?.kind === "user"
      ? [
          {
            label: "Your sessions and password",
            onSelect: () => void navigate({ to: "/settings/sessions" }),
          },
          { label: "Sign out", onSelect: () => signingOut.mutate() },
        ]
      : [];
  const name = session?.name ?? "…";
  return (
    <Menu
      trigger={
        <Button look="quiet" className={styles.account} aria-label={`Your account: ${name}`} title={name}>
          <CircleUserRound aria-hidden />
          <span className={styles.name}>{name}</span>
          <ChevronsUpDown aria-hidden className={styles.more} />
        </Button>
      }
      items={[...looks, ...own]}
    />
  );
}
