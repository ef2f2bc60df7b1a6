import { useMemo } from "react";
import { languageName, type Template } from "../data";
import { CodeEditor } from "./CodeEditor";
import { written } from "./ConflictDialog";
import { DiffView } from "./DiffView";
import { contentOf } from "./draft";
import styles from "./VersionDiff.module.css";

const IGNORE = () => {};

/** A version's content, or what differs between it and another one: the older one left. */
export default function VersionDiff({ template, against }: { template: Template; against: Template | null }) {
  const sides = useMemo(() => {
    if (against === null) {
      return null;
    }
    const pair = [template, against].sort((one, other) => one.version - other.version);
    return pair.map((one) => ({
      label: `Version ${one.version}, ${languageName(one.locale)}`,
      text: written(contentOf(one)),
    }));
  }, [template, against]);
  if (sides === null) {
    return (
      <div className={styles.code}>
        <CodeEditor
          key={template.id}
          label={`Body of version ${template.version}`}
          mode={template.channel === "EMAIL" ? "markup" : "text"}
          value={template.body}
          onChange={IGNORE}
          isReadOnly
        />
      </div>
    );
  }
  const [before, after] = sides;
  if (before === undefined || after === undefined) {
    return null;
  }
  return before.text === after.text ? (
    <p>The two versions have the same content.</p>
  ) : (
    <DiffView before={before} after={after} />
  );
}
