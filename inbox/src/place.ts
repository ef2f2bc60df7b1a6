/** Where the list opens: pure. */

import type { Position } from "./types.js";

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const GAP = 6;
const MARGIN = 8;

/**
 * Return the corner at which a list of this size opens at the bell, within the window.
 * It opens on the other side if there is no room, and more there.
 */
export function corner(
  bell: Box,
  size: { width: number; height: number },
  window: { width: number; height: number },
  position: Position,
  isRightToLeft: boolean,
): { left: number; top: number } {
  const below = window.height - bell.bottom - GAP - MARGIN;
  const above = bell.top - GAP - MARGIN;
  const wantsBelow = position.startsWith("bottom");
  const [wanted, other] = wantsBelow ? [below, above] : [above, below];
  const isBelow = size.height <= wanted || wanted >= other ? wantsBelow : !wantsBelow;
  const atRight = position.endsWith("end") !== isRightToLeft;
  const left = atRight ? bell.right - size.width : bell.left;
  const top = isBelow ? bell.bottom + GAP : bell.top - GAP - size.height;
  return {
    left: clamp(left, window.width - size.width),
    top: clamp(top, window.height - size.height),
  };
}

function clamp(at: number, room: number): number {
  return Math.max(MARGIN, Math.min(at, room - MARGIN));
}
