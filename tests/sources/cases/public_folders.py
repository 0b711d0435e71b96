"""Published data sets that have no table of labels."""

from .forms import Case, Files, Reads, Refuses, each, file_in, image, images, table, texts, zipped


def splits(form: str, classes: str) -> Files:
    """Return train and test, each with six images a class, below a form such as `a/{split}`."""
    files = [images(f"{form.format(split=split)}/{{{classes}}}") for split in ("train", "test")]
    return files[0] | files[1]


def chest() -> Files:
    found = splits("chest_xray/{split}", "NORMAL,PNEUMONIA")
    doubled = {f"chest_xray/{path}": data for path, data in found.items()}
    return found | doubled | {"chest_xray/__MACOSX/x/._img_0.png": b"\0\5"}


def sports() -> Files:
    files = splits("{split}", "archery,judo")
    rows = [f"0,{path},{path.split('/')[1]},{path.split('/')[0]}" for path in files]
    return files | {
        "sports.csv": table("class id,filepaths,labels,data set", *rows),
        "EfficientNetB3.h5": b"\x89HDF",
    }


def faces_140k() -> Files:
    files = splits("real_vs_fake/real-vs-fake/{split}", "fake,real")
    for split in ("train", "test"):
        paths = [path.partition("/")[2].partition("/")[2] for path in files if f"/{split}/" in path]
        rows = [
            f"{k},/x/{k}.jpg,{int('real' in path)},{path.split('/')[1]},{path}"
            for k, path in enumerate(paths)
        ]
        files[f"{split}.csv"] = table(",original_path,label,label_str,path", *rows)
    return files


def yolo(split: str) -> Files:
    return images(f"{split}/images", 6) | texts(f"{split}/labels", 6, "img_{}.txt")


FOLDERS = [
    Case(
        "sign alphabet",
        lambda: (
            images("asl_alphabet_train/asl_alphabet_train/{A,B,del}")
            | images("asl_alphabet_test/asl_alphabet_test", 3, "{}_test.jpg")
        ),
        Reads(each("A,B,del"), notes=("asl_alphabet_test", "3 images", "tuner predict")),
    ),
    Case("chest x-rays", chest, Reads(each("NORMAL,PNEUMONIA"), test=each("NORMAL,PNEUMONIA"))),
    Case(
        "intel scenes",
        lambda: (
            images("{seg_train/seg_train,seg_test/seg_test}/{buildings,forest}")
            | images("seg_pred/seg_pred", 5)
        ),
        Reads(
            each("buildings,forest"),
            test=each("buildings,forest"),
            notes=("seg_pred", "5 images", "tuner predict"),
        ),
    ),
    Case(
        "fruits",
        lambda: (
            images("fruits-360/{Training,Test}/{Apple,Banana}")
            | images("fruits-360/test-multiple_fruits", 3)
            | images("fruits-360/papers", 1)
        ),
        Reads(
            each("Apple,Banana"),
            test=each("Apple,Banana"),
            notes=("test-multiple_fruits", "papers", "left out"),
        ),
    ),
    Case(
        "retina scans",
        lambda: splits("OCT2017 /{split}", "CNV,DRUSEN,NORMAL"),
        Reads(each("CNV,DRUSEN,NORMAL"), test=each("CNV,DRUSEN,NORMAL")),
    ),
    Case(
        "brain scans twice",
        lambda: (
            (found := images("{no,yes}"))
            | {f"brain_tumor_dataset/{path}": data for path, data in found.items()}
        ),
        Reads(each("no,yes")),
    ),
    Case(
        "cats and dogs",
        lambda: splits("{split}_set/{split}_set", "cats,dogs"),
        Reads(each("cats,dogs"), test=each("cats,dogs")),
    ),
    Case(
        "caltech",
        lambda: (
            images("101_ObjectCategories/{BACKGROUND_Google,accordion,anchor}")
            | texts("Annotations/{accordion,anchor}", 2, "annotation_{}.mat")
        ),
        Reads(each("BACKGROUND_Google,accordion,anchor"), notes=("4", ".mat")),
    ),
    Case(
        "tiny imagenet",
        lambda: (
            images("tiny/train/{n01443537,n01629819}/images", 6, "{}.JPEG")
            | texts("tiny/train/n01443537", 1, "n01443537_boxes.txt")
            | images("tiny/{val,test}/images", 4, "val_{}.JPEG")
            | {"tiny/val/val_annotations.txt": b"val_0.JPEG\tn01443537\t0\t0\t9\t9\n"}
        ),
        Reads(each("n01443537,n01629819"), notes=("val", "test", "4 images")),
    ),
    Case(
        "dogs of stanford",
        lambda: (
            images("images/Images/{n02085620-Chihuahua,n02085782-Japanese_spaniel}")
            | texts("annotations/Annotation/n02085620-Chihuahua", 3, "n02085620_{}")
        ),
        Reads(each("n02085620-Chihuahua,n02085782-Japanese_spaniel")),
    ),
    Case(
        "food",
        lambda: images("food-101/images/{apple_pie,waffles}") | texts("food-101/meta", 2, "train_{}.txt"),
        Reads(each("apple_pie,waffles"), notes=("2", ".txt")),
    ),
    Case(
        "birds with segmentations",
        lambda: images("CUB_200_2011/{images,segmentations}/{001.Albatross,002.Auklet}"),
        Refuses("images", "segmentations"),
    ),
    Case(
        "land use", lambda: images("2750/{AnnualCrop,Forest,River}"), Reads(each("AnnualCrop,Forest,River"))
    ),
    Case(
        "faces in grey",
        lambda: {f"s{p}/{k}.pgm": image("pgm", "L") for p in (1, 2, 10) for k in range(6)},
        Reads(each("s1,s10,s2")),
    ),
    Case(
        "digits with the set's name",
        lambda: images("mnist_png/{mnist_png_training,mnist_png_testing}/{0,1,2}"),
        Reads(each("0,1,2"), test=each("0,1,2")),
    ),
    Case(
        "horses and zebras",
        lambda: images("horse2zebra/{trainA,trainB,testA,testB}"),
        Reads(each("A,B"), test=each("A,B")),
    ),
    Case(
        "a folder of roboflow",
        lambda: splits("{split}", "fake,real") | texts("", 1, "README.roboflow.txt") | {"data.yaml": b"x"},
        Reads(each("fake,real"), test=each("fake,real")),
    ),
    Case("sports with a table", sports, Reads(each("archery,judo"), test=each("archery,judo"))),
    Case("140k faces with tables", faces_140k, Reads(each("fake,real"), test=each("fake,real"))),
    Case(
        "real and fake faces",
        lambda: (
            (found := images("real_and_fake_face/{training_fake,training_real}"))
            | {f"real_and_fake_face_detection/{path}": data for path, data in found.items()}
        ),
        Reads(each("training_fake,training_real")),
    ),
    Case(
        "art of two models",
        lambda: images("{train,test}/{AI_LD_baroque,AI_SD_baroque,baroque}"),
        Reads(each("AI_LD_baroque,AI_SD_baroque,baroque"), test=each("AI_LD_baroque,AI_SD_baroque,baroque")),
    ),
]

NAMED_FILES = [
    Case(
        "cats against dogs",
        lambda: (
            images("train", 6, "cat.{}.jpg") | images("train", 6, "dog.{}.jpg") | images("test1", 4, "{}.jpg")
        ),
        Refuses("--label-from", "cat|dog"),
    ),
    Case(
        "cats against dogs as downloaded",
        lambda: (
            texts("", 1, "train.zip") | texts("", 1, "test1.zip") | {"sampleSubmission.csv": b"id,label\n"}
        ),
        Refuses(".zip"),
    ),
    Case(
        "breeds of pets",
        lambda: (
            images("images", 6, "Abyssinian_{}.jpg")
            | images("images", 6, "pug_{}.jpg")
            | images("annotations/trimaps", 6, "pug_{}.png")
        ),
        Refuses("--label-from"),
    ),
    Case(
        "breeds of pets by pattern",
        lambda: (
            images("images", 6, "Abyssinian_{}.jpg")
            | images("images", 6, "pug_{}.jpg")
            | images("annotations/trimaps", 6, "pug_{}.png")
        ),
        Reads(each("Abyssinian,pug"), notes=("6",)),
        {"label_from": r"^(.+)_\d+\.jpg$"},
    ),
    Case("ages of faces", lambda: images("UTKFace", 12, "2{}_1_2_2017.jpg.chip.jpg"), Refuses("class")),
    Case(
        "ages of faces by pattern",
        lambda: (
            images("UTKFace", 6, "2{}_0_2_2017.jpg.chip.jpg")
            | images("UTKFace", 6, "3{}_1_2_2017.jpg.chip.jpg")
        ),
        Reads(each("0,1")),
        {"label_from": r"^\d+_(\d)_"},
    ),
]

NO_CLASSES = [
    Case(
        "flowers with labels of matlab",
        lambda: images("jpg", 12, "image_{:05d}.jpg") | texts("", 1, "imagelabels.mat"),
        Refuses("class", ".mat"),
    ),
    Case(
        "cifar in pickles",
        lambda: (
            texts("cifar-10-batches-py", 5, "data_batch_{}") | texts("cifar-10-batches-py", 1, "batches.meta")
        ),
        Refuses("no images", "cifar-10-batches-py"),
    ),
    Case("digits in idx", lambda: texts("", 2, "train-images-idx{}-ubyte"), Refuses("no images")),
    Case(
        "boxes of coco",
        lambda: (
            images("images", 12)
            | {"annotations/instances.json": b'{"images": [], "annotations": [], "categories": []}'}
        ),
        Refuses("class"),
    ),
    Case(
        "boxes of coco by roboflow",
        lambda: images("{train,valid}", 6) | {"train/_annotations.coco.json": b'{"images": []}'},
        Refuses("class"),
    ),
    Case(
        "boxes of yolo",
        lambda: images("images/{train,val}") | texts("labels/{train,val}", 6, "img_{}.txt"),
        Refuses("class", ".txt"),
    ),
    Case(
        "boxes of yolo by roboflow",
        lambda: yolo("train") | yolo("valid") | yolo("test") | {"data.yaml": b"names: [a]"},
        Refuses("class", ".txt"),
    ),
    Case(
        "boxes of pascal",
        lambda: images("VOC2007/JPEGImages", 12) | texts("VOC2007/Annotations", 12, "{}.xml"),
        Refuses("class", ".xml"),
    ),
    Case(
        "pictures of a model with prompts",
        lambda: (
            images("part-000001", 12)
            | {"part-000001/part-000001.json": b'{"a.png": {"p": "a cat", "se": 1}}'}
        ),
        Refuses("class"),
    ),
    Case(
        "digits in a table",
        lambda: {"train.csv": table("label,pixel0", "1,0"), "test.csv": table("pixel0", "0")},
        Refuses("no images"),
    ),
    Case(
        "a data set in a zip in a folder", lambda: {"archive.zip": b"PK"}, Refuses("1 .zip", "archive in it")
    ),
    Case(
        "a list of addresses",
        lambda: {"urls.csv": table("url,label", "https://a.b/c.jpg,cat")},
        Refuses("urls.csv", "url, label"),
        pack=file_in("urls.csv"),
    ),
    Case("only a readme in a zip", lambda: {"README.md": b"see"}, Refuses("no images"), pack=zipped()),
]

CASES = [*FOLDERS, *NAMED_FILES, *NO_CLASSES]
