/** How this server is set, and where each setting comes from. Nothing can be changed here. */

import type { SettingRecord, SettingRecords } from "@tenure/client/api.gen.js";
import type { JSX } from "react";
import { useLoad } from "../load.js";
import { Awaited, Heading, Section } from "../parts.js";
import { type Column, Table } from "../table.js";
import { readable } from "../words.js";

const ORIGINS: Readonly<Record<string, string>> = {
  default: "Default",
  file: "Configuration file",
  environment: "Environment",
  flag: "Command line",
};

export function SettingsPage(): JSX.Element {
  const settings = useLoad<SettingRecords>("admin/settings");
  return (
    <>
      <Heading title="Settings" />
      <p data-part="help">
        As the server goes by them. They are set in its configuration file, the environment or on the command
        line, and hold from its next start on.
      </p>
      <Awaited of={settings} ready={settings.data !== null}>
        <div className="settings">
          {sectionsOf(settings.data?.settings ?? []).map(([name, rows]) => (
            <Section key={name} title={readable(name)}>
              <Table caption={readable(name)} columns={COLUMNS} rows={rows} keyOf={({ key }) => key} />
            </Section>
          ))}
        </div>
      </Awaited>
    </>
  );
}

const COLUMNS: readonly Column<SettingRecord>[] = [
  { name: "Setting", cell: ({ key }) => <code className="id">{key}</code> },
  { name: "Value", cell: ({ value }) => <code className="id">{value === "" ? "–" : value}</code> },
  {
    name: "From",
    cell: ({ origin }) =>
      origin === "default" ? ORIGINS.default : <strong>{ORIGINS[origin] ?? origin}</strong>,
  },
];

/** By what stands before the first dot, in the order of the answer. */
export function sectionsOf(settings: readonly SettingRecord[]): [string, SettingRecord[]][] {
  const sections = new Map<string, SettingRecord[]>();
  for (const setting of settings) {
    const [name = ""] = setting.key.split(".");
    sections.set(name, [...(sections.get(name) ?? []), setting]);
  }
  return [...sections];
}
