/** The app itself. No step changes it: it is given something to call its API with, and who is signed in. */

import { type AxiosInstance, isAxiosError } from "axios";
import { type FormEvent, type JSX, useEffect, useState } from "react";

interface Ticket {
  id: number;
  text: string;
}

interface Props {
  api: AxiosInstance;
  name: string;
  onSignOut: () => void;
}

export function Tickets({ api, name, onSignOut }: Props): JSX.Element {
  const [tickets, setTickets] = useState<Ticket[]>();
  const [text, setText] = useState("");
  const [said, setSaid] = useState("");

  async function told(work: () => Promise<string>): Promise<void> {
    setSaid("");
    setSaid(await work().catch(inWords));
  }

  useEffect(() => {
    // As dashboards do: everything at once.
    const asked = Promise.all([
      api.get<Ticket[]>("/api/tickets/"),
      api.get("/api/me/"),
      api.get("/api/tickets/?mine"),
    ]);
    asked.then(
      ([{ data }]) => setTickets(data),
      (error) => setSaid(inWords(error)),
    );
  }, [api]);

  const add = (event: FormEvent) => {
    event.preventDefault();
    void told(async () => {
      const { data } = await api.post<Ticket>("/api/tickets/", { text });
      setTickets((before = []) => [...before, data]);
      setText("");
      return `Added “${data.text}”.`;
    });
  };

  const countTeam = () =>
    told(async () => {
      const { data } = await api.get<{ people: number }>("/api/team/");
      return `${data.people} people.`;
    });

  return (
    <main>
      <h1>Tickets</h1>
      <p>
        Signed in as <b>{name}</b>{" "}
        <button type="button" onClick={onSignOut}>
          Sign out
        </button>
      </p>
      <form onSubmit={add}>
        <label>
          New ticket <input value={text} onChange={(event) => setText(event.target.value)} required />
        </label>
        <button type="submit">Add</button>
        <button type="button" onClick={() => void countTeam()}>
          Team
        </button>
      </form>
      <p role="status">{said}</p>
      {tickets && (
        <ul aria-label="Tickets">
          {tickets.map(({ id, text }) => (
            <li key={id}>{text}</li>
          ))}
        </ul>
      )}
    </main>
  );
}

/** What the server answered, or that it did not. What was typed stays where it is. */
function inWords(error: unknown): string {
  const answer = isAxiosError(error) ? error.response : undefined;
  if (!answer) return "Not reached. Please try again.";
  const { status, data } = answer;
  return `${status}: ${data?.detail ?? "Please try again."}`;
}
