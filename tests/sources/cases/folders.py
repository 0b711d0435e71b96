"""Folders as classes and groups, and files that are no part of the data set."""

from .forms import Case, Reads, Refuses, each, image, images, table, texts
from .splits import SPLIT, TWO, three_splits, two

GROUPS = [
    Case(
        "generators above splits",
        lambda: images("{ADM,BigGAN}/train/{ai,nature}") | images("{ADM,BigGAN}/val/{ai,nature}", 3),
        Reads(each("ai,nature", 12), each("ai,nature", 6), groups=("ADM", "BigGAN")),
    ),
    Case(
        "generators above wrappers and splits",
        lambda: images("{ADM/imagenet_ai_0508_adm,Midjourney/imagenet_midjourney}/{train,val}/{ai,nature}"),
        Reads(each("ai,nature", 12), each("ai,nature", 12), groups=("ADM", "Midjourney")),
    ),
    Case(
        "categories above real and fake",
        lambda: images("{airplane,bird,car}/{0_real,1_fake}"),
        Reads(each("0_real,1_fake", 18), groups=("airplane", "bird", "car")),
    ),
    Case(
        "splits above categories",
        lambda: images("{train,test}/{airplane,bird}/{0_real,1_fake}"),
        Reads(each("0_real,1_fake", 12), test=each("0_real,1_fake", 12), groups=("airplane", "bird")),
    ),
    Case(
        "generators with and without categories",
        lambda: images("progan/{cat,dog}/{0_real,1_fake}") | images("stargan/{0_real,1_fake}"),
        Reads(each("0_real,1_fake", 18), groups=("progan/cat", "progan/dog", "stargan")),
    ),
    Case(
        "sources inside classes",
        lambda: images("real/{coco,laion}") | images("fake/{sd15,midjourney}"),
        Reads(
            each("fake,real", 12), groups=("coco", "laion", "midjourney", "sd15"), notes=("fake 2", "real 2")
        ),
    ),
    Case(
        "sources inside one class",
        lambda: images("real", 12) | images("fake/{sd15,midjourney}"),
        Reads(each("fake,real", 12), groups=("midjourney", "sd15"), notes=("fake 2", "real 1")),
    ),
    Case(
        "frames of videos",
        lambda: (
            images("original_sequences/youtube/c23/frames/{000,001}")
            | images("manipulated_sequences/{Deepfakes,FaceSwap}/c23/frames/{000_003,001_002}", 3)
        ),
        Reads(
            each("manipulated_sequences,original_sequences", 12), groups=("Deepfakes", "FaceSwap", "youtube")
        ),
    ),
    Case(
        "the same sources inside both classes",
        lambda: images("{real,fake}/{cats,dogs}"),
        Reads(each("fake,real", 12), groups=("cats", "dogs")),
    ),
    Case(
        "years inside classes",
        lambda: images("{oak,pine}/{2019,2020}"),
        Reads(each("oak,pine", 12), groups=("2019", "2020"), notes=("oak 2",)),
    ),
    Case(
        "numbered parts inside classes",
        lambda: images("{wiki,inpainting,insight}/{0,1,2}", 2),
        Refuses("wiki", "inpainting", "'0'"),
    ),
    Case(
        "deep folders inside classes",
        lambda: (
            images("breast/benign/SOB/{adenosis,fibroma}/{40X,100X}", 2)
            | images("breast/malignant/SOB/{ductal,lobular}/{40X,100X}", 2)
        ),
        Reads(each("benign,malignant", 8), notes=("benign 4",)),
    ),
    Case(
        "patients above numbered classes",
        lambda: images("{8863,8864,8865,8866}/{0,1}"),
        Refuses("0", "1", "8863"),
    ),
]

VARIANTS = [
    Case(
        "colour beside grey",
        lambda: images("{color,grayscale,segmented}/{Apple___healthy,Apple___scab,Corn___rust}"),
        Refuses("color", "grayscale", "Apple___healthy"),
    ),
    Case(
        "colour chosen among variants",
        lambda: images("{color,grayscale,segmented}/{Apple___healthy,Apple___scab}"),
        Reads(each("Apple___healthy,Apple___scab"), notes=("24 images",)),
        {"exclude": ["grayscale", "segmented"]},
    ),
    Case(
        "sizes beside each other",
        lambda: images("{128x128,256x256}/{cat,dog}"),
        Refuses("128x128", "256x256", "cat"),
    ),
    Case(
        "originals beside augmented ones",
        lambda: images("{Original Images,Augmented Images}/{Chickenpox,Measles,Normal}"),
        Refuses("Original Images", "Augmented Images"),
    ),
    Case(
        "variants inside the splits",
        lambda: images("{train,test}/{color,grayscale}/{cat,dog}"),
        Refuses("color", "grayscale", "cat"),
    ),
    Case(
        "a test set named after its data set",
        lambda: images("rps/{paper,rock,scissors}") | images("rps-test-set/{paper,rock,scissors}", 3),
        Refuses("rps", "rps-test-set"),
    ),
    Case(
        "a test set named by the user",
        lambda: images("rps/{paper,rock,scissors}") | images("rps-test-set/{paper,rock,scissors}", 3),
        Reads(each("paper,rock,scissors"), test=each("paper,rock,scissors", 3)),
        {"splits": "train=rps,test=rps-test-set"},
    ),
]

CLASSES = [
    Case("one class", lambda: images("REAL"), Refuses("REAL", "class")),
    Case("one class in each split", lambda: images("{train,test}/REAL"), Refuses("REAL", "class")),
    Case(
        "a class with one image",
        lambda: two() | images("rare", 1),
        Refuses("rare", "1", "--min-class-images"),
    ),
    Case(
        "a class with two images",
        lambda: two() | images("rare", 2),
        Refuses("rare", "2", "--min-class-images"),
    ),
    Case(
        "small classes left out",
        lambda: two() | images("rare", 2),
        Reads(TWO, notes=("rare", "2", "left out")),
        {"min_class_images": 3},
    ),
    Case("all classes too small", two, Refuses("7", "min-class-images"), {"min_class_images": 7}),
    Case("uneven classes", lambda: images("REAL", 60) | images("FAKE", 5), Reads({"FAKE": 5, "REAL": 60})),
    Case(
        "numbered classes",
        lambda: images("{0,1,2,3,4,5,6,7,8,9,10,11}", 4),
        Reads(each("0,1,2,3,4,5,6,7,8,9,10,11", 4)),
    ),
    Case(
        "classes in many scripts",
        lambda: images('{café crème,犬 (いぬ),it\'s "ok",🐱,a|b,-dash,[x],$x_1$}', 4),
        Reads(each('café crème,犬 (いぬ),it\'s "ok",🐱,a|b,-dash,[x],$x_1$', 4)),
    ),
    Case("a newline in a class", lambda: images("{name\nline,other}"), Reads(each("name\\nline,other"))),
    Case("an empty class", lambda: two() | {"third/": b""}, Reads(TWO, notes=("third",))),
    Case(
        "an empty class in the test",
        lambda: images("train/{FAKE,REAL}") | images("test/FAKE", 4) | {"test/REAL/": b""},
        Refuses("test/REAL"),
    ),
    Case("an empty folder", lambda: {"nothing/": b""}, Refuses("no images")),
    Case(
        "a class of videos", lambda: images("REAL") | texts("FAKE", 5, "{}.mp4"), Refuses("5", ".mp4", "FAKE")
    ),
    Case("only videos", lambda: texts("{FAKE,REAL}", 5, "{}.mp4"), Refuses("no images", ".mp4")),
    Case("images flat", lambda: images("", name="IMG_{}.png"), Refuses("class")),
    Case("no such folder", lambda: two("data/"), Refuses("sett"), pack=lambda root, _: root / "sett"),
]

STRANGERS = [
    Case(
        "system files are silent",
        lambda: (
            two()
            | {
                f"{below}{name}": b"x"
                for below in ("", "REAL/")
                for name in (".DS_Store", "Thumbs.db", "desktop.ini")
            }
            | {"REAL/._img_0.png": b"\0\5", "__MACOSX/REAL/._img_0.png": b"\0\5"}
            | images(".ipynb_checkpoints", 1)
        ),
        Reads(TWO, notes=None),
    ),
    Case(
        "images in junk folders",
        lambda: (
            two() | {"REAL/@eaDir/img_0.png/SYNOPHOTO_THUMB_M.png": image(), "$RECYCLE.BIN/x.png": image()}
        ),
        Reads(TWO, notes=("@eaDir", "$RECYCLE.BIN", "left out")),
    ),
    Case(
        "images in the bins of network drives",
        lambda: two() | images("{#recycle,@Recycle}", 1) | images("REAL/.thumbnails", 2),
        Reads(TWO, notes=("#recycle", "@Recycle", "left out")),
    ),
    Case("a class of texts", lambda: two() | texts("third", 3), Reads(TWO, notes=("3", ".txt", "third"))),
    Case("drawings", lambda: two() | texts("REAL", 2, "{}.svg"), Reads(TWO, notes=("2", ".svg", "REAL"))),
    Case(
        "a class of scans",
        lambda: images("healthy") | texts("sick", 6, "{}.dcm"),
        Refuses("6", ".dcm", "sick"),
    ),
    Case("texts beside images", lambda: two() | texts("REAL", 3), Reads(TWO, notes=("3", ".txt", "REAL"))),
    Case(
        "a picture at the top",
        lambda: two() | {"preview.png": image()},
        Reads(TWO, notes=("1 image", "left out")),
    ),
    Case(
        "pictures of a documentation",
        lambda: images("{FAKE,REAL}", 30) | {"docs/screenshot.png": image()},
        Reads(each("FAKE,REAL", 30), notes=("docs", "1 image", "left out")),
    ),
    Case(
        "a picture in a split",
        lambda: three_splits() | {"train/samples.png": image()},
        SPLIT._replace(notes=("train", "1 image", "left out")),
    ),
    Case(
        "files left out by pattern",
        lambda: two() | images("REAL", 3, "thumb_{}.png"),
        Reads(TWO, notes=("3 images", "thumb_*")),
        {"exclude": ["thumb_*"]},
    ),
    Case("a pattern that matches nothing", two, Reads(TWO, notes=("thumb_*",)), {"exclude": ["thumb_*"]}),
    Case("all left out by pattern", two, Refuses("no images", "*.png"), {"exclude": ["*.png"]}),
    Case(
        "masks beside images",
        lambda: (
            images("data/{benign,malignant}", name="c ({}).png")
            | images("data/{benign,malignant}", name="c ({})_mask.png")
        ),
        Reads(each("benign,malignant"), notes=("12 masks",)),
    ),
    Case(
        "masks in folders of their own",
        lambda: images("{COVID,Normal}/{images,masks}") | texts("", 1, "COVID.metadata.xlsx"),
        Reads(each("COVID,Normal"), notes=("12 masks",)),
    ),
    Case(
        "two masks an image",
        lambda: (
            images("{benign,normal}", 4)
            | images("benign", 4, "img_{}_mask.png")
            | images("benign", 2, "img_{}_mask_1.png")
        ),
        Reads(each("benign,normal", 4), notes=("6 masks",)),
    ),
    Case(
        "a copy of the whole inside it",
        lambda: (
            (found := images("{Parasitized,Uninfected}")) | {f"cell_images/{k}": v for k, v in found.items()}
        ),
        Reads(each("Parasitized,Uninfected")),
    ),
    Case("zip files inside", lambda: texts("", 2, "part{}.zip"), Refuses("no images", ".zip")),
    Case(
        "tables at every level",
        lambda: three_splits() | {"labels.md": table("x"), "train/README.md": b""},
        SPLIT,
    ),
]

CASES = [*GROUPS, *VARIANTS, *CLASSES, *STRANGERS]
