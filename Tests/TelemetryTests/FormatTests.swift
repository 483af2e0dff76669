import Telemetry
import Testing

struct FormatTests {
    @Test(arguments: [
        "application/openmetrics-text",
        "application/openmetrics-text; version=1.0.0",
        "Application/OpenMetrics-Text;Version=\"1.0.0\";Q=0.5,text/plain;q=0.5",
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            + "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            + "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text, */*",
        "*/*, text/plain;q=0.1, application/openmetrics-text;q=0.2",
    ])
    func `answers with OpenMetrics when it is preferred`(accept: String) {
        #expect(Exposition.format(forAccept: accept) == .openMetrics)
    }

    @Test(arguments: [
        nil, "", "*/*", "text/plain", "text/html", "application/*", ", ;q=1,;",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.000",
        "application/openmetrics-text;q=high",
        "application/openmetrics-text;q=2",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;q=0.4,text/plain;q=0.5",
        "application/openmetrics-text;q=0.4,text/*;q=0.5",
        "application/openmetrics-text;q=0.4,*/*",
    ])
    func `answers with text otherwise`(accept: String?) {
        #expect(Exposition.format(forAccept: accept) == .text)
    }

    @Test func `names the content types exactly`() {
        #expect(Exposition.Format.text.contentType.description == "text/plain; version=0.0.4; charset=utf-8")
        #expect(
            Exposition.Format.openMetrics.contentType.description
                == "application/openmetrics-text; version=1.0.0; charset=utf-8")
    }
}
