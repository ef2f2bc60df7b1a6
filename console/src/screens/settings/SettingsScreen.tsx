import { createLazyRoute } from "@tanstack/react-router";
import { SelectField } from "~/kit/Field";
import { Card, Page } from "~/kit/Page";
import { setTheme, type Theme, useTheme } from "~/shell/theme";
import { SECTIONS } from "./sections";

export const lazyRoute = createLazyRoute("/frame/settings")({ component: SettingsScreen });

function SettingsScreen() {
  return (
    <Page
      title="Settings"
      text="What concerns this installation and you. The settings of a tenant are on its own page."
    >
      {SECTIONS.map(({ title, text, link }) => (
        <Card key={title} title={title} actions={link}>
          <p>{text}</p>
        </Card>
      ))}
      <LookCard />
    </Page>
  );
}

function LookCard() {
  const theme = useTheme();
  return (
    <Card title="Look">
      <SelectField
        label="Colors"
        help="Kept in this browser."
        value={theme}
        onChange={(event) => setTheme(event.target.value as Theme)}
      >
        <option value="system">As the system</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </SelectField>
    </Card>
  );
}
