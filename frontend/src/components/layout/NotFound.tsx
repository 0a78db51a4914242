import { Link } from "react-router";
import { useTitle } from "../../hooks/useTitle";
import { text } from "../../utils/text";
import { buttonClass } from "../ui/Button";

export function NotFound({ title = text.notFound.title, hint = text.notFound.hint }) {
  useTitle(`${title} · ${text.appName}`);
  return (
    <main id="content" className="grid flex-1 place-items-center p-8 text-center">
      <div className="animate-fade-in">
        <p aria-hidden="true" className="numeral text-3xl font-bold text-edge">
          404
        </p>
        <h1 className="mt-4 text-xl font-semibold">{title}</h1>
        <p className="mt-2 mb-8 text-muted">{hint}</p>
        <Link to="/" className={buttonClass("primary")}>
          {text.notFound.home}
        </Link>
      </div>
    </main>
  );
}
