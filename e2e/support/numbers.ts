/** Measurements are printed beside their goals; what a test demands of them is looser, because machines differ. */

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function report(what: string, measured: string, goal: string): void {
  console.log(`measured: ${what}: ${measured} (goal: ${goal})`);
}
