import { type RefObject, useEffect, useState } from "react";

/**
 * Whether something that floats over the page belongs at its other place: it moves there, and back, whenever it would
 * lie over what gets the focus. count: how many things it shows, because each makes it larger.
 */
export function useOutOfTheWay(floating: RefObject<HTMLElement | null>, count: number): boolean {
  const [isAway, setAway] = useState(false);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another count is a reason to look again
  useEffect(() => {
    const look = () => {
      const focused = document.activeElement;
      if (floating.current && focused instanceof HTMLElement && lieOver(floating.current, focused)) {
        setAway((before) => !before);
      }
    };
    look();
    document.addEventListener("focusin", look);
    return () => document.removeEventListener("focusin", look);
  }, [floating, count]);

  return isAway;
}

function lieOver(floating: HTMLElement, focused: HTMLElement): boolean {
  if (focused === document.body || floating.contains(focused)) {
    return false;
  }
  const over = floating.getBoundingClientRect();
  const under = focused.getBoundingClientRect();
  // What is as large as the page is seen beside it anywhere.
  return (
    over.height > 0 &&
    under.height < innerHeight / 2 &&
    over.left < under.right &&
    under.left < over.right &&
    over.top < under.bottom &&
    under.top < over.bottom
  );
}
