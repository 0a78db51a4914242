/** Being a player again by a recovery code. */
import { type FormEvent, useState } from "react";
import { useRecover } from "../../hooks/useJoin";
import { toProblem } from "../../utils/api/problem";
import { text } from "../../utils/text";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";

export function Recover() {
  const [code, setCode] = useState("");
  const recover = useRecover();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    recover.mutate(code);
  };
  return (
    <form onSubmit={submit} noValidate={true} className="mt-3">
      <Field
        label={text.account.code}
        value={code}
        onChange={(event) => {
          setCode(event.target.value);
          recover.reset();
        }}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        error={recover.isError ? describe(recover.error) : undefined}
      />
      <Button type="submit" size="small" disabled={recover.isPending}>
        {text.account.useCode}
      </Button>
    </form>
  );
}

function describe(error: Error): string {
  const { status, message } = toProblem(error);
  return status === 401 || status === 404 ? text.account.wrongCode : message;
}
