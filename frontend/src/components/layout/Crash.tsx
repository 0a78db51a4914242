/** What is left when a defect of ours took the page down. */
import { Component, type ReactNode } from "react";
import { text } from "../../utils/text";
import { Button } from "../ui/Button";

export class CrashGuard extends Component<{ children: ReactNode }, { crashed: boolean }> {
  override readonly state = { crashed: false };

  static getDerivedStateFromError() {
    return { crashed: true };
  }

  override render() {
    if (!this.state.crashed) return this.props.children;
    return (
      <main className="grid min-h-dvh place-items-center p-8 text-center">
        <div>
          <h1 className="text-xl font-semibold">{text.problems.crash}</h1>
          <p className="mt-2 mb-8 text-muted">{text.problems.crashHint}</p>
          <Button look="primary" onClick={() => location.reload()}>
            {text.problems.reload}
          </Button>
        </div>
      </main>
    );
  }
}
