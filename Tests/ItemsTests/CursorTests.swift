import Postgres
import Testing

@testable import Items

struct CursorTests {
    private static let plain = ItemList(order: .ascending, filter: nil)
    private static let time = Timestamp(microsecondsSinceEpoch: 1_730_462_400_000_000)
    private static let lists = [
        plain,
        ItemList(order: .descending, filter: nil),
        ItemList(order: .ascending, filter: ListFilter(text: "a")),
        ItemList(order: .ascending, filter: ListFilter(text: "A")),
        ItemList(order: .descending, filter: ListFilter(text: "a")),
        ItemList(order: .ascending, filter: ListFilter(ids: [1, 2])),
        ItemList(order: .ascending, filter: ListFilter(ids: [1, 3])),
        ItemList(order: .ascending, filter: ListFilter(createdAfter: time)),
        ItemList(order: .ascending, filter: ListFilter(createdBefore: time)),
        ItemList(order: .ascending, filter: ListFilter(text: "a", createdAfter: time)),
        ItemList(order: .ascending, filter: ListFilter(createdAfter: time, createdBefore: time)),
    ]

    private func text(_ cursor: Cursor, in list: ItemList) -> String {
        let text = cursor.text(in: list)
        return String(decoding: (0..<text.count).map { text.span[$0] }, as: UTF8.self)
    }

    private func cursors(in list: ItemList) -> [Cursor] {
        [Int64.min, -7, 0, 1, 42, .max].flatMap { id in
            [false, true].map { Cursor(isBackward: $0, id: id, createdAt: list.isByTime ? id ^ 5 : nil) }
        }
    }

    @Test func `survives conversion to text`() {
        for list in Self.lists {
            for cursor in cursors(in: list) { #expect(Cursor(text(cursor, in: list), in: list) == cursor) }
        }
    }

    @Test func `has a text of base64url, of one length for a kind of list`() {
        for list in Self.lists {
            for cursor in cursors(in: list) {
                let text = text(cursor, in: list)
                #expect(text.utf8.count == (list.isByTime ? 28 : 18))
                #expect(text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
                #expect("EFGH".contains(text.prefix(1)), "texts of former versions begin with a or d")
            }
        }
    }

    @Test func `is refused in every other list`() {
        for (place, list) in Self.lists.enumerated() {
            let text = text(Cursor(isBackward: false, id: 42, createdAt: list.isByTime ? 42 : nil), in: list)
            for (other, wrong) in Self.lists.enumerated() where other != place {
                #expect(Cursor(text, in: wrong) == nil, "cursor of list \(place) in list \(other)")
            }
        }
    }

    @Test func `is refused when one of its characters is another one`() {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        for list in [Self.plain, Self.lists[7]] {
            let text = Array(text(Cursor(isBackward: false, id: 42, createdAt: list.isByTime ? 7 : nil), in: list))
            for index in text.indices {
                for digit in digits + ["=", "+", "/", " ", "é"] where digit != text[index] {
                    var altered = text
                    altered[index] = digit
                    #expect(Cursor(String(altered), in: list) == nil, "\(String(altered))")
                }
            }
        }
    }

    @Test func `is refused when it is cut or longer`() {
        let text = text(Cursor(isBackward: true, id: 42, createdAt: nil), in: Self.plain)
        for count in 0..<text.count { #expect(Cursor(String(text.prefix(count)), in: Self.plain) == nil) }
        for suffix in ["A", "=", "==", text] { #expect(Cursor(text + suffix, in: Self.plain) == nil) }
    }

    @Test func `of a former version is understood in the list of all items`() {
        for id in [Int64.min, -7, 0, 42, .max] {
            #expect(Cursor("a\(id)", in: Self.plain) == Cursor(isBackward: false, id: id))
            #expect(Cursor("d\(id)", in: Self.lists[1]) == Cursor(isBackward: false, id: id))
            #expect(Cursor("d\(id)", in: Self.plain) == nil)
            #expect(Cursor("a\(id)", in: Self.lists[2]) == nil)
        }
    }

    @Test(arguments: [
        "", "a", "5", "x5", "a-", "a-0", "a-05", "a--5", "a+5", "a05", "a-9223372036854775809", "a5x",
        "a9223372036854775808", "A5", "a5 ",
    ])
    func `in another spelling is refused`(text: String) {
        #expect(Cursor(text, in: Self.plain) == nil)
    }
}
