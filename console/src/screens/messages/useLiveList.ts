import { type InfiniteData, type QueryKey, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Page } from "~/api/pages";
import { watchLive } from "~/live/client";
import type { LiveChanges, LiveFilters, LiveState } from "~/live/connection";
import type { Event } from "./queries";

// Rows that the list may grow to by new ones; then it begins again with a fresh first page.
const MOST_ROWS = 500;
// New rows that wait to be shown; of more only the number is known, and the list is read again.
const MOST_WAITING = 200;
// Above this many pixels somebody reads further down, and the rows must not move.
const AT_TOP_PX = 120;

type Data = InfiniteData<Page<Event>, string | undefined>;

interface LiveList {
  state: LiveState;
  /** New rows that are not shown, because somebody reads further down or has paused. */
  waiting: number;
  show: () => void;
  refused: string | undefined;
}

/** Keep a list up to date: known rows change in place, new ones come on top, or wait. `filters` undefined: off. */
export function useLiveList(key: QueryKey, filters: LiveFilters | undefined, isPaused: boolean): LiveList {
  const queries = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [waiting, setWaiting] = useState(0);
  const [refused, setRefused] = useState<string>();
  const held = useRef({ events: new Map<string, Event>(), more: 0 });
  const paused = useRef(isPaused);
  paused.current = isPaused;
  const keyText = JSON.stringify(key);
  const filterText = filters && JSON.stringify(filters);

  const show = useCallback(() => {
    const { events, more } = held.current;
    held.current = { events: new Map(), more: 0 };
    setWaiting(0);
    const listKey = JSON.parse(keyText) as QueryKey;
    const rows = queries.getQueryData<Data>(listKey)?.pages.flatMap((page) => page.data).length ?? 0;
    if (more > 0 || rows + events.size > MOST_ROWS) {
      queries.setQueryData<Data>(listKey, (data) => data && firstPage(data));
      void queries.invalidateQueries({ queryKey: listKey });
    } else {
      queries.setQueryData<Data>(listKey, (data) => data && added(data, [...events.values()]));
    }
    window.scrollTo({ top: 0 });
  }, [queries, keyText]);

  useEffect(() => {
    held.current = { events: new Map(), more: 0 };
    setWaiting(0);
    setRefused(undefined);
    if (filterText === undefined) {
      return;
    }
    const listKey = JSON.parse(keyText) as QueryKey;
    const take = (changes: LiveChanges<Event>) => {
      const known = new Set(
        queries.getQueryData<Data>(listKey)?.pages.flatMap((page) => page.data.map((one) => one.id)),
      );
      queries.setQueryData<Data>(listKey, (data) => data && changed(data, changes));
      const fresh = changes.events.filter((event) => !known.has(event.id));
      for (const event of fresh) {
        held.current.events.set(event.id, event);
      }
      for (const id of changes.others) {
        held.current.events.delete(id);
      }
      if (held.current.events.size > MOST_WAITING) {
        held.current = { events: new Map(), more: held.current.more + held.current.events.size };
      }
      held.current.more += changes.skipped;
      const count = held.current.events.size + held.current.more;
      if (count > 0 && !paused.current && window.scrollY < AT_TOP_PX) {
        show();
      } else {
        setWaiting(count);
      }
    };
    return watchLive(JSON.parse(filterText) as LiveFilters, (message) => {
      if (message.type === "events") {
        take(message as LiveChanges<Event>);
      } else if (message.type === "state") {
        setState(message.state);
      } else if (message.type === "refused") {
        setRefused(message.detail);
      } else if (paused.current) {
        held.current.more += 1;
        setWaiting(held.current.events.size + held.current.more);
      } else {
        void queries.invalidateQueries({ queryKey: listKey });
      }
    });
  }, [queries, keyText, filterText, show]);

  return { state, waiting, show, refused };
}

function firstPage(data: Data): Data {
  return { pages: data.pages.slice(0, 1), pageParams: data.pageParams.slice(0, 1) };
}

function changed(data: Data, { events, others }: LiveChanges<Event>): Data {
  const news = new Map(events.map((event) => [event.id, event]));
  const gone = new Set(others);
  return {
    ...data,
    pages: data.pages.map((page) => ({
      ...page,
      data: page.data.filter((row) => !gone.has(row.id)).map((row) => news.get(row.id) ?? row),
    })),
  };
}

function added(data: Data, events: readonly Event[]): Data {
  const [first, ...rest] = data.pages;
  if (first === undefined) {
    return data;
  }
  const known = new Set(data.pages.flatMap((page) => page.data.map((one) => one.id)));
  const rows = [...events.filter((event) => !known.has(event.id)), ...first.data];
  // Ids begin with the time.
  rows.sort((one, other) => (one.id < other.id ? 1 : -1));
  return { ...data, pages: [{ ...first, data: rows }, ...rest] };
}
