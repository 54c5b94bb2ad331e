% Writes the files of the folder `octave`: matrices, as GNU Octave 7.3.0 stores them.
%
%     octave-cli tests/peers/make/octave_files.m tests/peers/files/octave
folder = argv(){end};
[~, ~] = mkdir(folder);
at = @(name) fullfile(folder, name);
logits = [2 1 0.5; 0.25 1.5 -1; 1 -0.125 3; -2.5 0.75 1.25; 0.5 0.5 0];
labels = [1; 2; 3; 1; 2];
csvwrite(at("csvwrite.csv"), logits);
dlmwrite(at("tabs.txt"), logits, "\t");
dlmwrite(at("semicolons.csv"), logits, ";");
dlmwrite(at("labels.csv"), labels);
save("-ascii", at("ascii.txt"), "logits");
save("-text", at("text.txt"), "logits");
text = regexprep(fileread(at("text.txt")), ', [^\n]* <[^\n]*>', '', "once");
file = fopen(at("text.txt"), "w");
fputs(file, text);
fclose(file);
save("-v7", at("v7.mat"), "logits", "labels");
missing = logits;
missing(2, 3) = NaN;
missing(3, 1) = -Inf;
csvwrite(at("nan.csv"), missing);
file = fopen(at("struct.json"), "w");
fputs(file, jsonencode(struct("logits", logits, "labels", labels)));
fclose(file);
