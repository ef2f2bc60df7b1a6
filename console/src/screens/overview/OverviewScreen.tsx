import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { answer, api } from "~/api/client";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { CHANNELS, PERIODS } from "~/screens/messages/routes";
import { channelName } from "~/shell/channels";
import { word } from "~/shell/search";
import { useTenantId } from "~/shell/tenants";
import { DeliveriesCard, TimesCard } from "./Charts";
import { isEmpty } from "./figures";
import { OldestCard } from "./OldestCard";
import { ReasonsCard } from "./ReasonsCard";
import type { OverviewSearch } from "./routes";
import { Totals } from "./Totals";

export const lazyRoute = createLazyRoute("/frame/overview")({ component: OverviewScreen });

const HOURS = { "1h": 1, "24h": 24, "7d": 168, "30d": 720 };
const PERIOD_NAMES = {
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
};
const REFRESH_MS = 15_000;

function OverviewScreen() {
  const tenantId = useTenantId();
  const { last = "24h", channel } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const query = useQuery({
    queryKey: ["overview", tenantId, last],
    queryFn: ({ signal }) => {
      const since = new Date(Date.now() - HOURS[last] * 3_600_000).toISOString();
      const asked = { since, ...(tenantId && { tenant_id: tenantId }) };
      return answer(api.GET("/api/v1/admin/overview", { params: { query: asked }, signal }));
    },
    refetchInterval: REFRESH_MS,
  });
  const change = (changes: Partial<OverviewSearch>) =>
    void navigate({ to: "/overview", search: { last, channel, ...changes }, replace: true });
  const overview = query.data;
  const shown = useMemo(
    () => (overview === undefined ? undefined : { overview, channel, last }),
    [overview, channel, last],
  );
  return (
    <Page
      title="Overview"
      text="What became of the messages that were accepted in this time. It renews itself."
    >
      <Filters active={countSet(channel)}>
        <SelectField
          label="Accepted"
          value={last}
          onChange={(event) => change({ last: word(event.target.value, PERIODS) })}
        >
          {PERIODS.map((one) => (
            <option key={one} value={one}>
              {PERIOD_NAMES[one]}
            </option>
          ))}
        </SelectField>
        <SelectField
          label="Channel"
          value={channel ?? ""}
          onChange={(event) => change({ channel: word(event.target.value, CHANNELS) })}
        >
          <option value="">All</option>
          {CHANNELS.map((one) => (
            <option key={one} value={one}>
              {channelName(one)}
            </option>
          ))}
        </SelectField>
      </Filters>
      {query.error ? <ErrorNote error={query.error} onRetry={() => void query.refetch()} /> : null}
      {shown === undefined ? (
        query.error ? null : (
          <Loading />
        )
      ) : (
        <>
          <OldestCard oldest={shown.overview.oldest_waiting} />
          {isEmpty(shown.overview) ? (
            <Card title="Messages">
              <EmptyState
                title="Nothing was accepted in this time"
                text="Choose a longer time, or send a test: it counts within a second."
                action={<LinkButton to="/test-send">Send a test</LinkButton>}
              />
            </Card>
          ) : (
            <>
              <Totals {...shown} />
              <DeliveriesCard {...shown} />
              <TimesCard {...shown} />
              <ReasonsCard {...shown} />
            </>
          )}
        </>
      )}
    </Page>
  );
}
