import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { answer, api } from "~/api/client";
import { TextField } from "~/kit/Field";
import { useNarrow } from "~/kit/useNarrow";
import { type Hit, targetOf } from "./hits";
import styles from "./SearchBox.module.css";
import { Hits } from "./SearchHits";

const LEAST = 3;
const PAUSE_MS = 200;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Finds anything by an id in all tenants that the person may see. "/" leads here; a whole id goes there at once. */
export function SearchBox() {
  const navigate = useNavigate();
  const isNarrow = useNarrow();
  const listId = useId();
  const box = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState("");
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const asked = useSettled(typed.trim());
  const isAsked = asked.length >= LEAST;
  const query = useQuery({
    queryKey: ["search", asked],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/search", { params: { query: { q: asked } }, signal })),
    enabled: isAsked,
  });
  const hits = isAsked && asked === typed.trim() ? query.data?.data : undefined;
  useSlashKey(box);
  useEffect(() => {
    const close = (event: Event) => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) {
        setOpen(false);
      }
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("focusin", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("focusin", close);
    };
  }, []);
  const leave = () => {
    setOpen(false);
    setTyped("");
    setActive(-1);
    box.current?.querySelector("input")?.blur();
  };
  const go = (hit: Hit) => {
    leave();
    void navigate(targetOf(hit));
  };
  // A whole id that names one thing needs no choice.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each answer
  useEffect(() => {
    const [only, ...others] = hits ?? [];
    if (isOpen && only && others.length === 0 && UUID.test(asked) && only.id === asked) {
      go(only);
    }
  }, [hits]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const chosen = hits?.[Math.max(0, active)];
    if (chosen) {
      go(chosen);
    }
  };
  const move = (event: KeyboardEvent) => {
    const count = hits?.length ?? 0;
    if (event.key === "Escape") {
      setOpen(false);
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count > 0) {
      event.preventDefault();
      setOpen(true);
      setActive((active + (event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1) + count) % count);
    }
  };
  const isShown = isOpen && typed.trim().length >= LEAST;
  return (
    <search className={styles.box} ref={box} aria-label="Search by id">
      <form onSubmit={submit}>
        <TextField
          label="Search by id"
          isLabelHidden
          type="search"
          role="combobox"
          aria-expanded={isShown && Boolean(hits?.length)}
          aria-controls={isShown && hits?.length ? listId : undefined}
          aria-autocomplete="list"
          aria-activedescendant={isShown && active >= 0 ? `${listId}-${active}` : undefined}
          aria-keyshortcuts="/"
          placeholder={isNarrow ? "Find an id" : "Find any id, address or key ( / )"}
          maxLength={255}
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
            setActive(-1);
            setOpen(true);
          }}
          onFocus={() => setOpen(true)}
          onKeyDown={move}
          autoComplete="off"
          spellCheck={false}
        />
      </form>
      {isShown ? (
        <div className={styles.popup}>
          <Hits
            hits={hits}
            incomplete={query.data?.incomplete ?? []}
            error={query.error}
            active={active}
            listId={listId}
            onLeave={leave}
          />
        </div>
      ) : null}
    </search>
  );
}

/** Return a text when it has not changed for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function useSlashKey(box: { current: HTMLElement | null }): void {
  useEffect(() => {
    const focus = (event: globalThis.KeyboardEvent) => {
      const isTyping =
        event.target instanceof HTMLElement &&
        event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        box.current?.querySelector("input")?.focus();
      }
    };
    document.addEventListener("keydown", focus);
    return () => document.removeEventListener("keydown", focus);
  }, [box]);
}
