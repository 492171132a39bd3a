import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { socket, useConnection, useQuestions, useSession } from "./hooks";
import { signIn, type Grant } from "./tokens";

const ACK_MS = 5_000;

function Line({ label, button, onText }: { label: string; button: string; onText: (text: string) => void }) {
  const [text, setText] = useState("");
  const submit = (event: { preventDefault(): void }) => {
    event.preventDefault();
    onText(text);
    setText("");
  };
  return (
    <form onSubmit={submit}>
      <input aria-label={label} value={text} onChange={(event) => setText(event.target.value)} maxLength={200} required />
      <button>{button}</button>
    </form>
  );
}

function Talk({ guest, onEnd }: { guest: Grant; onEnd: () => void }) {
  const connection = useConnection();
  const questions = useQuestions();
  const until = useSession(guest, onEnd);
  const [notice, setNotice] = useState("");

  // A repeated question has the same id, and is delivered once.
  const ask = async (text: string, id = crypto.randomUUID()): Promise<void> => {
    try {
      const answer = await socket.timeout(ACK_MS).emitWithAck("ask", id, text);
      setNotice("error" in answer ? answer.error.message : "");
    } catch {
      return ask(text, id);
    }
  };
  return (
    <>
      <p aria-label="Connection" role="status">{connection}</p>
      <p aria-label="Token">{until && `renewed until ${until}`}</p>
      <Line label="Question" button="Ask" onText={ask} />
      <p role="alert">{notice}</p>
      <ol aria-label="Questions">
        {questions.map(({ id, author, text }) => <li key={id}>{author}: {text}</li>)}
      </ol>
    </>
  );
}

function Page() {
  const [guest, setGuest] = useState<Grant>();
  const [notice, setNotice] = useState("");
  const enter = (name: string) => signIn(name).then(setGuest, (error: Error) => setNotice(error.message));
  if (guest) return <Talk guest={guest} onEnd={() => setGuest(undefined)} />;
  return (
    <>
      <Line label="Name" button="Enter" onText={enter} />
      <p role="alert">{notice}</p>
    </>
  );
}

createRoot(document.getElementById("root")!).render(<StrictMode><Page /></StrictMode>);
