import { type QueryKey, useInfiniteQuery } from "@tanstack/react-query";

/** One page of any list of the admin API. */
export interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

/** The rows of a list so far, and how to get more. */
export interface Rows<T> {
  rows: T[];
  isLoading: boolean;
  isLoadingMore: boolean;
  error: Error | null;
  hasMore: boolean;
  loadMore: () => void;
  reload: () => void;
}

/**
 * Read a list page by page.
 *
 * @param key changes with every filter, so that a list never mixes two filters
 * @param read asks for the page at a cursor (undefined: the first one)
 * @param options everyMs: reads the first page again so often, while it is the only one
 */
export function useRows<T>(
  key: QueryKey,
  read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>,
  options: { enabled?: boolean; everyMs?: number } = {},
): Rows<T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: Page<T>) => last.next_cursor ?? undefined,
    enabled: options.enabled ?? true,
    // Somebody who reads on is not disturbed.
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) <= 1 && options.everyMs) || false,
  });
  return {
    rows: query.data?.pages.flatMap((page) => page.data) ?? [],
    isLoading: query.isPending && query.fetchStatus !== "idle",
    isLoadingMore: query.isFetchingNextPage,
    error: query.error,
    hasMore: query.hasNextPage,
    loadMore: () => void query.fetchNextPage(),
    reload: () => void query.refetch(),
  };
}
