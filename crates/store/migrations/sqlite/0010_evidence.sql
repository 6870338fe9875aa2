-- What a browser knew when it signed somebody out: the last answer that failed, the last error, clocks. A JSON object.
ALTER TABLE client_report ADD COLUMN evidence TEXT;
