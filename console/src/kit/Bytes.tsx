const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** A size in the unit that reads best; the number of bytes on hover. */
export function Bytes({ count }: { count: number }) {
  return <span title={exactBytes(count)}>{sizeOf(count)}</span>;
}

/** Return a size in the unit that reads best: "256 MiB", "1.5 KiB". */
export function sizeOf(count: number): string {
  const [unit, name] = count >= GIB ? [GIB, "GiB"] : count >= MIB ? [MIB, "MiB"] : [KIB, "KiB"];
  return count < KIB
    ? exactBytes(count)
    : `${(count / unit).toLocaleString(undefined, { maximumFractionDigits: 1 })} ${name}`;
}

/** Return a number of bytes in full: "268,435,456 bytes". */
export function exactBytes(count: number): string {
  return `${count.toLocaleString()} ${count === 1 ? "byte" : "bytes"}`;
}
