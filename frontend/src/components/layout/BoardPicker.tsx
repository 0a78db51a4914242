/** Which board and which season, where there is more than one. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { boardPath, useBoardRef } from "../../hooks/useBoardRef";
import { boardsQuery, seasonsQuery } from "../../utils/api/queries";
import { text } from "../../utils/text";
import { Select } from "../ui/Select";

export function BoardPicker() {
  const ref = useBoardRef();
  const navigate = useNavigate();
  const { data: boards = [] } = useQuery(boardsQuery);
  const { data: found } = useQuery(seasonsQuery(ref.board));
  const seasons = found?.seasons ?? [];
  const current = seasons.find((each) => each.current)?.number;
  const shown = ref.season ?? current;
  const known = boards.some((each) => each.slug === ref.board);
  return (
    <div className="flex min-w-0 items-center gap-2">
      {boards.length > 1 && known && (
        <Select
          label={text.boardPicker}
          value={ref.board}
          onChange={(event) => void navigate(boardPath({ board: event.target.value }))}
          className="max-w-44 min-w-0"
        >
          {boards.map(({ slug, name }) => (
            <option key={slug} value={slug}>
              {name}
            </option>
          ))}
        </Select>
      )}
      {seasons.length > 1 && (
        <Select
          label={text.seasonPicker}
          value={shown}
          onChange={(event) => {
            const season = Number(event.target.value);
            void navigate(
              boardPath(season === current ? { board: ref.board } : { ...ref, season }),
            );
          }}
        >
          {seasons.map(({ number }) => (
            <option key={number} value={number}>
              {number === current ? text.currentSeason(number) : text.seasonNumber(number)}
            </option>
          ))}
        </Select>
      )}
    </div>
  );
}
