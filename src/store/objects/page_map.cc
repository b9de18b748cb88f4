#include "store/objects/page_map.h"

#include "store/objects/paged_content.h"

namespace holdfast::store::page_map {
namespace {

constexpr int kMap = 4;

struct Line {
  int64_t first = 0, size = 0, child = 0, child_first = 0;
  int64_t end() const { return first + size; }
};

Line line_of(const Row& row) {
  return Line{row.integer(0), row.integer(1), row.integer(2), row.integer(3)};
}

Result<void> insert(Tx& tx, int64_t map, const Line& line) {
  TRY_VOID(tx.run("INSERT INTO content_stretch VALUES(?, ?, ?, ?, ?)",
                  {map, line.first, line.size, line.child, line.child_first}));
  return {};
}

Result<void> retain(Tx& tx, int64_t id) {
  TRY(const int64_t changed,
      tx.run("UPDATE content SET refs = refs + 1 WHERE id = ? AND refs > 0", {id}));
  if (changed == 0) return fail(Code::not_found, "there is no such content");
  return {};
}

// The map itself, or a copy of its rows where others hold it too.
Result<int64_t> own(Tx& tx, int64_t map) {
  int64_t refs = 0;
  TRY_VOID(tx.each("SELECT refs FROM content WHERE id = ? AND kind = ?", {map, int64_t{kMap}},
                   [&](const Row& row) {
                     refs = row.integer(0);
                     return false;
                   }));
  if (refs == 0) return fail(Code::not_found, "there is no map " + std::to_string(map));
  if (refs == 1) return map;
  TRY(const ContentId made, make(tx));
  const auto copy = static_cast<int64_t>(made);
  TRY_VOID(
      tx.run("INSERT INTO content_stretch SELECT ?, first, size, child, child_first FROM "
             "content_stretch WHERE map = ?",
             {copy, map}));
  TRY_VOID(
      tx.run("UPDATE content SET refs = refs + (SELECT count(*) FROM content_stretch WHERE map = "
             "?1 AND child = content.id) WHERE id IN (SELECT child FROM content_stretch WHERE map "
             "= ?1)",
             {copy}));
  TRY_VOID(tx.run("UPDATE content SET refs = refs - 1 WHERE id = ?", {map}));
  return copy;
}

// Nothing of [first, end) is covered any more.
Result<void> clear(Tx& tx, int64_t map, int64_t first, int64_t end) {
  // The one that begins before it.
  std::optional<Line> left;
  TRY_VOID(
      tx.each("SELECT first, size, child, child_first FROM content_stretch WHERE map = ? AND "
              "first < ? ORDER BY first DESC LIMIT 1",
              {map, first}, [&](const Row& row) {
                left = line_of(row);
                return false;
              }));
  if (left && left->end() > first) {
    TRY_VOID(tx.run("UPDATE content_stretch SET size = ? WHERE map = ? AND first = ?",
                    {first - left->first, map, left->first}));
    if (left->end() > end) {
      TRY_VOID(retain(tx, left->child));
      return insert(
          tx, map,
          Line{end, left->end() - end, left->child, left->child_first + (end - left->first)});
    }
  }
  // The one that ends behind it.
  std::optional<Line> right;
  TRY_VOID(
      tx.each("SELECT first, size, child, child_first FROM content_stretch WHERE map = ? AND "
              "first >= ? AND first < ? ORDER BY first DESC LIMIT 1",
              {map, first, end}, [&](const Row& row) {
                right = line_of(row);
                return false;
              }));
  if (!right) return {};
  if (right->end() > end) {
    TRY_VOID(
        tx.run("DELETE FROM content_stretch WHERE map = ? AND first = ?", {map, right->first}));
    TRY_VOID(insert(
        tx, map,
        Line{end, right->end() - end, right->child, right->child_first + (end - right->first)}));
  }
  TRY_VOID(
      tx.run("UPDATE content SET refs = refs - (SELECT count(*) FROM content_stretch WHERE map = "
             "?1 AND first >= ?2 AND first < ?3 AND child = content.id) WHERE id IN (SELECT child "
             "FROM content_stretch WHERE map = ?1 AND first >= ?2 AND first < ?3)",
             {map, first, end}));
  TRY_VOID(tx.run("DELETE FROM content_stretch WHERE map = ? AND first >= ? AND first < ?",
                  {map, first, end}));
  return {};
}

// The rows that cover any of [first, end), in order, until `take` returns false.
Result<void> each_line(Tx& tx, int64_t map, uint64_t first, uint64_t end,
                       const std::function<bool(const Line&)>& take) {
  const auto from = static_cast<int64_t>(first), to = static_cast<int64_t>(end);
  int64_t begin = from;
  TRY_VOID(
      tx.each("SELECT first, size FROM content_stretch WHERE map = ? AND first < ? ORDER BY "
              "first DESC LIMIT 1",
              {map, from}, [&](const Row& row) {
                if (row.integer(0) + row.integer(1) > from) begin = row.integer(0);
                return false;
              }));
  return tx.each(
      "SELECT first, size, child, child_first FROM content_stretch WHERE map = ? AND "
      "first >= ? AND first < ? ORDER BY first",
      {map, begin, to}, [&](const Row& row) {
        Line line = line_of(row);
        if (const int64_t before = from - line.first; before > 0) {
          line.first += before;
          line.child_first += before;
          line.size -= before;
        }
        line.size = std::min(line.size, to - line.first);
        return take(line);
      });
}

}  // namespace

Result<ContentId> make(Tx& tx) {
  TRY_VOID(
      tx.run("INSERT INTO content(kind, segment, offset, size, crc, file, refs) VALUES(?, 0, 0, 0, "
             "0, '', 1)",
             {int64_t{kMap}}));
  return static_cast<ContentId>(tx.last_insert_id());
}

Result<ContentId> replace(Tx& tx, ContentId map, uint64_t first, uint64_t size,
                          std::optional<ContentId> by) {
  TRY(const int64_t id, own(tx, static_cast<int64_t>(map)));
  const auto from = static_cast<int64_t>(first), count = static_cast<int64_t>(size);
  TRY_VOID(clear(tx, id, from, from + count));
  if (by) {
    TRY_VOID(retain(tx, static_cast<int64_t>(*by)));
    TRY_VOID(insert(tx, id, Line{from, count, static_cast<int64_t>(*by), 0}));
  }
  return static_cast<ContentId>(id);
}

Result<Stretches> stretches(Tx& tx, ContentId map, uint64_t first, uint64_t end, size_t limit) {
  Stretches out;
  TRY_VOID(each_line(tx, static_cast<int64_t>(map), first, end, [&](const Line& line) {
    const auto at = static_cast<uint64_t>(line.first), size = static_cast<uint64_t>(line.size);
    if (!out.items.empty() && out.items.back().first + out.items.back().size == at) {
      out.items.back().size += size;
      return true;
    }
    if (out.items.size() == limit) {
      out.more = at;
      return false;
    }
    out.items.push_back(Stretch{at, size, false});
    return true;
  }));
  return out;
}

namespace {

// Some lines of a map, and up to where they are all there are.
struct Window {
  std::vector<Line> lines;
  int64_t end = 0;
  size_t next = 0;

  // The line that covers `at`, which never goes back; `until` is brought down to where that ends.
  const Line* at(int64_t at, int64_t& until) {
    while (next < lines.size() && lines[next].end() <= at) ++next;
    if (next == lines.size()) return nullptr;
    const Line& line = lines[next];
    const bool covers = line.first <= at;
    until = std::min(until, covers ? line.end() : line.first);
    return covers ? &line : nullptr;
  }
};

Result<Window> window(Tx& tx, ContentId map, int64_t first, int64_t end) {
  constexpr size_t kLines = 4096;
  Window out;
  out.end = end;
  TRY_VOID(each_line(tx, static_cast<int64_t>(map), static_cast<uint64_t>(first),
                     static_cast<uint64_t>(end), [&](const Line& line) {
                       if (out.lines.size() == kLines) {
                         out.end = line.first;
                         return false;
                       }
                       out.lines.push_back(line);
                       return true;
                     }));
  return out;
}

// Stretches of one content at one offset are the same bytes: contents never change.
bool same(const Line* a, const Line* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->child == b->child && a->child_first - a->first == b->child_first - b->first;
}

}  // namespace

Result<Stretches> changes(Tx& tx, ContentId before, ContentId map, uint64_t first, uint64_t end,
                          size_t limit) {
  Stretches out;
  int64_t at = static_cast<int64_t>(first);
  while (at < static_cast<int64_t>(end)) {
    TRY(Window then, window(tx, before, at, static_cast<int64_t>(end)));
    TRY(Window now, window(tx, map, at, static_cast<int64_t>(end)));
    const int64_t to = std::min(then.end, now.end);
    while (at < to) {
      int64_t until = to;
      const Line* old = then.at(at, until);
      const Line* line = now.at(at, until);
      if (!same(old, line)) {
        const bool cleared = line == nullptr;
        Stretch* last = out.items.empty() ? nullptr : &out.items.back();
        const auto from = static_cast<uint64_t>(at), size = static_cast<uint64_t>(until - at);
        if (last != nullptr && last->first + last->size == from && last->cleared == cleared) {
          last->size += size;
        } else if (out.items.size() == limit) {
          out.more = from;
          return out;
        } else {
          out.items.push_back(Stretch{from, size, cleared});
        }
      }
      at = until;
    }
  }
  return out;
}

Result<std::shared_ptr<OpenContent>> open(Tx& tx, ObjectStore& objects, ContentId map,
                                          uint64_t size, uint64_t first, uint64_t end) {
  std::vector<Line> lines;
  TRY_VOID(
      each_line(tx, static_cast<int64_t>(map), first, std::min(size, end), [&](const Line& line) {
        lines.push_back(line);
        return true;
      }));
  std::vector<PagedStretch> parts;
  parts.reserve(lines.size());
  for (const Line& line : lines) {
    PagedStretch part;
    part.first = static_cast<uint64_t>(line.first);
    part.size = static_cast<uint64_t>(line.size);
    part.content_first = static_cast<uint64_t>(line.child_first);
    TRY(part.content, objects.open(tx, static_cast<ContentId>(line.child)));
    parts.push_back(std::move(part));
  }
  return open_paged(std::move(parts), size, first, std::min(size, end));
}

}  // namespace holdfast::store::page_map
