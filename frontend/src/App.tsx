export function App() {
  return (
    <main className="grid min-h-dvh place-items-center">
      <h1 className="text-5xl font-semibold">Leaderboard</h1>
    </main>
  );
}
