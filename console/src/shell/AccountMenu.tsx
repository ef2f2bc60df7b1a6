import { useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Menu } from "~/kit/Menu";
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
  return (
    <Menu
      trigger={<Button look="quiet">{session?.name ?? "…"}</Button>}
      items={LOOKS.map(([value, label]) => ({
        label: value === theme ? `${label} ✓` : label,
        onSelect: () => setTheme(value),
      }))}
    />
  );
}
