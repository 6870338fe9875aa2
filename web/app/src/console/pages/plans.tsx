import { ProblemError } from "@tenure/client";
import type { PlanRecord, PlanRecords } from "@tenure/client/api.gen.js";
import { Button } from "@tenure/react/parts.js";
import { type JSX, useState } from "react";
import { featuresOf, limitsOf } from "../../account-words.js";
import { useConsole } from "../context.js";
import { ActDialog } from "../dialog.js";
import { Choice, Field, TextArea, textOf } from "../form.js";
import { useLoad } from "../load.js";
import { Awaited, Chip, Heading, Section } from "../parts.js";
import { featuresIn, limitsIn, limitsText } from "../plan-text.js";
import { type Column, Table } from "../table.js";
import { count } from "../words.js";

export function PlansPage(): JSX.Element {
  const { can, say } = useConsole();
  const plans = useLoad<PlanRecords>("admin/plans");
  const [editing, setEditing] = useState<PlanRecord | "new" | null>(null);
  const mayEdit = can("admin.plans");
  const columns: Column<PlanRecord>[] = [
    {
      name: "Plan",
      cell: ({ name, slug }) => (
        <span className="two">
          <strong>{name}</strong>
          <code>{slug}</code>
        </span>
      ),
    },
    {
      name: "State",
      cell: ({ is_active }) =>
        is_active ? <Chip look="good">Active</Chip> : <Chip look="out">Not active</Chip>,
    },
    { name: "Includes", cell: (plan) => featuresOf(asPlan(plan)) || "–" },
    { name: "Allows", cell: (plan) => limitsOf(asPlan(plan), count) || "–" },
    {
      name: "Price at Stripe",
      cell: ({ stripe_price }) => stripe_price && <code className="id">{stripe_price}</code>,
    },
  ];
  const edit: Column<PlanRecord> = {
    name: "Act",
    cell: (plan) => (
      <Button aria-label={`Edit ${plan.name}`} onClick={() => setEditing(plan)}>
        Edit
      </Button>
    ),
  };
  const rows = plans.data?.plans ?? [];
  return (
    <>
      <Heading title="Plans">
        {mayEdit && <Button onClick={() => setEditing("new")}>Create a plan</Button>}
      </Heading>
      <Section title="All plans">
        <Awaited of={plans} ready={plans.data !== null}>
          {rows.length === 0 && <p data-part="help">There is no plan yet.</p>}
          {rows.length > 0 && (
            <Table
              caption="Plans"
              columns={mayEdit ? [...columns, edit] : columns}
              rows={rows}
              keyOf={({ slug }) => slug}
            />
          )}
        </Awaited>
      </Section>
      {editing && (
        <SavePlan
          plan={editing === "new" ? null : editing}
          onDone={({ name }) => {
            setEditing(null);
            say(`The plan ${name} is saved.`);
            plans.reload();
          }}
          onClose={() => setEditing(null)}
        />
      )}
    </>
  );
}

/** As the pages for people know a plan. */
const asPlan = ({ is_active: isActive, ...plan }: PlanRecord) => ({ ...plan, isActive });

interface SavePlanProps {
  /** Null makes one. */
  plan: PlanRecord | null;
  onDone: (saved: PlanRecord) => void;
  onClose: () => void;
}

function SavePlan({ plan, onDone, onClose }: SavePlanProps): JSX.Element {
  const { api } = useConsole();
  const save = (values: FormData, reason: string) => {
    const { limits, wrong } = limitsIn(textOf(values, "limits"));
    if (wrong !== null) return Promise.resolve({ data: null, error: notALimit(wrong) });
    const slug = plan?.slug ?? textOf(values, "slug");
    return api.send<PlanRecord>("PUT", `admin/plans/${encodeURIComponent(slug)}`, {
      name: textOf(values, "name"),
      is_active: textOf(values, "is_active") === "yes",
      features: featuresIn(textOf(values, "features")),
      limits,
      stripe_price: textOf(values, "stripe_price") || null,
      reason,
    });
  };
  return (
    <ActDialog<PlanRecord>
      title={plan ? `Edit the plan ${plan.name}` : "Create a plan"}
      confirm="Save"
      send={save}
      onDone={onDone}
      onClose={onClose}
    >
      <p>What is saved is the whole plan, and holds from the next request on.</p>
      {!plan && (
        <Field
          name="slug"
          label="Short name"
          help="Small letters, digits and dashes. It stays for ever."
          required
        />
      )}
      <Field name="name" label="Name" autoCapitalize="words" defaultValue={plan?.name} required />
      <Choice
        name="is_active"
        label="State"
        options={[
          ["yes", "Active"],
          ["no", "Not active: what needs it is refused"],
        ]}
        defaultValue={plan?.is_active === false ? "no" : "yes"}
      />
      <TextArea
        name="features"
        label="Features"
        help="Names, with spaces or lines between."
        defaultValue={plan?.features.join("\n") ?? ""}
      />
      <TextArea
        name="limits"
        label="Limits"
        help="One to a line: seats = 5, or projects = unlimited."
        defaultValue={plan ? limitsText(plan.limits) : ""}
      />
      <Field
        name="stripe_price"
        label="Price at Stripe"
        placeholder="price_…"
        defaultValue={plan?.stripe_price ?? ""}
      />
    </ActDialog>
  );
}

/** As the server would say it, had it been sent. */
function notALimit(line: string): ProblemError {
  const message = `“${line}” is no limit of its own`;
  return new ProblemError("validation_failed", "request", 422, "Some fields are not acceptable.", {
    fields: [{ field: "limits", code: "not_a_limit", message }],
  });
}
