/** Names of people, in any direction of writing, alone and within a sentence. */
import { splitNames } from "../../utils/names";

/** A name by itself: in its own direction, and cut at its end where there is no room. */
export function Name({ children, className = "" }: { children: string; className?: string }) {
  return <bdi className={`block min-w-0 truncate ${className}`}>{children}</bdi>;
}

/** A sentence with names: each is cut and turned by itself, the words around it are not. */
export function Words({ children }: { children: string }) {
  return splitNames(children).map(({ said, isName }, at) =>
    isName ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one sentence keep their places
      <bdi key={at} className="inline-block max-w-44 truncate align-bottom">
        {said}
      </bdi>
    ) : (
      said
    ),
  );
}
