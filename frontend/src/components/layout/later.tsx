/** Parts of the app that are loaded when they are needed. */
import { type ComponentType, lazy } from "react";
import { text } from "../../utils/text";
import { Button } from "../ui/Button";

/** The component, as soon as it is loaded. Where it can't be loaded, a word says so, not a crash. */
// biome-ignore lint/suspicious/noExplicitAny: as React's own `lazy` has it
export function later<T extends ComponentType<any>>(load: () => Promise<T>) {
  return lazy(async () => ({ default: await load().catch(() => Missing as unknown as T) }));
}

function Missing() {
  return (
    <div role="alert" className="p-4 text-sm">
      <p className="mb-3 text-muted">{text.problems.network}</p>
      <Button size="small" onClick={() => location.reload()}>
        {text.problems.reload}
      </Button>
    </div>
  );
}
