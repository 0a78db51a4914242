/** Who may import whom. A reader guesses a file's room from its name; this keeps it true. */

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "Two files that need each other are one idea, or lack a third.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-orphans",
      comment: "A file that nobody uses is dead. Tests and ambient types are used by their tools.",
      severity: "error",
      from: { orphan: true, pathNot: ["\\.d\\.ts$", "\\.test\\.tsx?$", "^src/main\\.tsx$"] },
      to: {},
    },
    {
      name: "ui-knows-no-domain",
      comment: "components/ui are plain parts: no boards, players or scores, no state, no network.",
      severity: "error",
      from: { path: "^src/components/ui/" },
      to: {
        path: "^src/(components/(?!ui/)|hooks/(?!useMedia)|context/|utils/(api|realtime)/)",
      },
    },
    {
      name: "utils-are-below-all",
      comment: "utils are functions without React's tree.",
      severity: "error",
      from: { path: "^src/utils/" },
      to: { path: "^src/(components|hooks|context)/" },
    },
    {
      name: "hooks-render-nothing",
      severity: "error",
      from: { path: "^src/hooks/", pathNot: "\\.test\\.tsx?$" },
      to: { path: "^src/components/" },
    },
    {
      name: "nothing-imports-main",
      severity: "error",
      from: {},
      to: { path: "^src/main\\.tsx$" },
    },
    {
      name: "app-is-the-root",
      comment: "Only main and App's own test render App.",
      severity: "error",
      from: { pathNot: "^src/(main|App\\.test)\\.tsx$" },
      to: { path: "^src/App\\.tsx$" },
    },
    {
      name: "no-tests-in-the-app",
      severity: "error",
      from: { pathNot: "\\.test\\.tsx?$" },
      to: { path: "\\.test\\.tsx?$" },
    },
    {
      name: "runtime-needs-dependencies",
      comment: "What ships stands in dependencies.",
      severity: "error",
      from: { path: "^src/", pathNot: "\\.test\\.tsx?$" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"],
        pathNot: "^node_modules/(tailwindcss|@types)/",
      },
    },
    {
      name: "not-to-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.app.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "browser", "default", "types"],
      mainFields: ["module", "main", "types"],
    },
    skipAnalysisNotInRules: true,
  },
};
