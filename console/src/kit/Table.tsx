import type { ReactNode } from "react";
import type { Rows } from "~/api/pages";
import { Button } from "./Button";
import { classes } from "./classes";
import { ErrorNote } from "./ErrorNote";
import { Loading } from "./Loading";
import styles from "./Table.module.css";

export interface Column<T> {
  /** Also stands before the value on a narrow screen; empty: for buttons. */
  header: string;
  cell: (row: T) => ReactNode;
  /** Do not break its lines. */
  isWhole?: boolean;
  isNumber?: boolean;
}

interface TableProps<T> {
  /** What the table holds, for screen readers. */
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string;
  isBusy?: boolean;
  foot?: ReactNode;
}

/** A table; on a narrow screen a list of cards. */
export function Table<T>({ caption, columns, rows, rowKey, isBusy = false, foot }: TableProps<T>) {
  return (
    <div className={classes(styles.region, isBusy && styles.busy)} aria-busy={isBusy}>
      <table className={styles.table}>
        <caption className="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.header} scope="col" className={classes(column.isNumber && styles.number)}>
                {column.header || <span className="unseen">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((column) => (
                <td
                  key={column.header}
                  data-label={column.header}
                  className={classes(column.isWhole && styles.whole, column.isNumber && styles.number)}
                >
                  <div>{column.cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {foot ? <div className={styles.foot}>{foot}</div> : null}
    </div>
  );
}

interface ListProps<T> extends Omit<TableProps<T>, "rows" | "isBusy" | "foot"> {
  list: Rows<T>;
  /** What to do when there is nothing: an EmptyState. */
  empty: ReactNode;
}

/** A list read page by page: a table with "Show more", or what stands in its place. */
export function List<T>({ list, empty, ...table }: ListProps<T>) {
  if (list.error && list.rows.length === 0) {
    return <ErrorNote error={list.error} onRetry={list.reload} />;
  }
  if (list.isLoading) {
    return <Loading />;
  }
  if (list.rows.length === 0) {
    return empty;
  }
  const foot = (
    <>
      <span aria-live="polite">
        {list.rows.length} shown{list.hasMore ? "" : ", no more"}
      </span>
      {list.hasMore ? (
        <Button size="small" onClick={list.loadMore} isBusy={list.isLoadingMore}>
          Show more
        </Button>
      ) : null}
      {list.error ? <ErrorNote error={list.error} onRetry={list.loadMore} /> : null}
    </>
  );
  return <Table {...table} rows={list.rows} foot={foot} />;
}
