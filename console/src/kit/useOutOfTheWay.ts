import { type RefObject, useEffect, useState } from "react";

/**
 * Whether something that floats over the page belongs at its other place: it moves there, and back, whenever it would
 * lie over what gets the focus by the keyboard, or by being typed into. Nothing moves under the mouse.
 * count: how many things it shows; with each it is larger, and without any it is back at its first place.
 */
export function useOutOfTheWay(floating: RefObject<HTMLElement | null>, count: number): boolean {
  const [isAway, setAway] = useState(false);

  useEffect(() => {
    const look = () => {
      const focused = document.activeElement;
      if (floating.current && focused instanceof HTMLElement && lieOver(floating.current, focused)) {
        setAway((before) => !before);
      }
    };
    if (count === 0) {
      setAway(false);
      return;
    }
    look();
    document.addEventListener("focusin", look);
    return () => document.removeEventListener("focusin", look);
  }, [floating, count]);

  return isAway;
}

function lieOver(floating: HTMLElement, focused: HTMLElement): boolean {
  if (!focused.matches(":focus-visible") || floating.contains(focused)) {
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
