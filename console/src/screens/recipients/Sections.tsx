import { LinkTab, LinkTabs } from "~/kit/LinkTabs";

/** Leads between the lists about the people of a tenant. */
export function Sections() {
  const exact = { exact: true, includeSearch: false };
  return (
    <LinkTabs label="Recipients">
      <LinkTab to="/recipients" activeOptions={exact}>
        People
      </LinkTab>
      <LinkTab to="/segments">Segments</LinkTab>
      <LinkTab to="/tags">Tags</LinkTab>
      <LinkTab to="/imports">Imports</LinkTab>
    </LinkTabs>
  );
}
